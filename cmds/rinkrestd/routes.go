package rinkrestd

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/cmds/sacct"
	"github.com/runink/rink/cmds/sacctmgr"
	"github.com/runink/rink/cmds/scontrol"
	"github.com/runink/rink/cmds/sdiag"
	"github.com/runink/rink/cmds/squeue"
	"github.com/runink/rink/cmds/sshare"
	"github.com/runink/rink/slurm"
)

// The parts of the interface, as slurmrestd's plugins are called.
const (
	partCtld = "slurmctld"
	partDBD  = "slurmdbd"
	partUtil = "util"
)

// route is one method of one path.
type route struct {
	part, method, path string
	id                 string // OpenAPI's operationId
	summary            string
	query              []param
	body               string // what the request's document is; "": it has none
	do                 func(*request)
}

// param is a parameter of a query: what option of the command it becomes, where it becomes
// one as it is, and what it says.
type param struct{ name, option, doc string }

// routes lists what is served and makes the multiplexer for it.
func (s *server) routes() *http.ServeMux {
	for _, rt := range slices.Concat(ctldRoutes(), dbdRoutes(), dbdChanges(), utilRoutes()) {
		if slices.Contains(s.parts, rt.part) {
			s.table = append(s.table, rt)
		}
	}
	mux := http.NewServeMux()
	for i := range s.table {
		rt := &s.table[i]
		mux.HandleFunc(rt.method+" "+rt.path, s.handler(rt))
	}
	spec := &route{part: partUtil, do: func(q *request) {
		q.w.Header().Set("Content-Type", "application/json")
		q.w.Write(s.openAPI())
	}}
	for _, path := range []string{"/openapi", "/openapi.json", "/openapi/v3"} {
		mux.HandleFunc("GET "+path, s.handler(spec))
	}
	mux.HandleFunc("GET /openapi.yaml", s.handler(&route{part: partUtil, do: func(q *request) {
		q.w.Header().Set("Content-Type", "application/x-yaml")
		q.w.Write(s.openAPI()) // JSON is YAML too
	}}))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		var others []string
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
			as := *r
			as.Method = method
			if _, pattern := mux.Handler(&as); pattern != "/" {
				others = append(others, method)
			}
		}
		if len(others) > 0 {
			w.Header().Set("Allow", strings.Join(others, ", "))
			http.Error(w, "Unable to process requested HTTP method", http.StatusMethodNotAllowed)
			return
		}
		http.Error(w, "Unable to find requested URL", http.StatusNotFound)
	})
	return mux
}

const (
	slurmPath = "/slurm/{version}"
	dbPath    = "/slurmdb/{version}"
)

// updateTime and flags are parameters of listings that Slurm has and that have no effect
// here: a listing is always whole, and as of now.
var listing = []param{{"update_time", "", "only when something has changed since then (UNIX time); the whole is sent here"}, {"flags", "", "what is to be listed; all of it is"}}

func ctldRoutes() []route {
	list := func(what string) func(*request) {
		return func(q *request) { q.show(scontrol.Run, "scontrol", "show", what) }
	}
	one := func(what, key string) func(*request) {
		return func(q *request) { q.showNamed(what, q.r.PathValue(key)) }
	}
	return []route{
		{partCtld, "GET", slurmPath + "/ping", "get_ping", "whether the controllers answer", nil, "", func(q *request) { q.show(scontrol.Run, "scontrol", "ping") }},
		{partCtld, "GET", slurmPath + "/diag", "get_diag", "what the controller has done", nil, "", func(q *request) { q.show(sdiag.Run, "sdiag") }},
		{partCtld, "GET", slurmPath + "/conf", "get_conf", "the configuration in force", nil, "", list("config")},
		{partCtld, "GET", slurmPath + "/licenses", "get_licenses", "licences, and how many are in use", nil, "", list("licenses")},
		{partCtld, "GET", slurmPath + "/shares", "get_shares", "shares and usage of accounts and users",
			[]param{{"accounts", "--accounts", "of these accounts"}, {"users", "--users", "of these users"}}, "", func(q *request) {
				q.show(sshare.Run, "sshare", append(q.options([]param{{"accounts", "--accounts", ""}, {"users", "--users", ""}}), "--all")...)
			}},
		{partCtld, "GET", slurmPath + "/reconfigure", "get_reconfigure", "read the configuration again", nil, "", func(q *request) {
			q.do(nil, scontrol.Run, "scontrol", "reconfigure")
		}},
		{partCtld, "GET", slurmPath + "/jobs", "get_jobs", "all jobs the controller knows", listing, "", list("jobs")},
		{partCtld, "GET", slurmPath + "/jobs/state", "get_jobs_state", "the states of jobs alone", []param{{"job_id", "", "of these jobs"}}, "", (*request).jobStates},
		{partCtld, "DELETE", slurmPath + "/jobs", "delete_jobs", "signal or cancel jobs", nil, "kill_jobs_msg", (*request).cancelMany},
		{partCtld, "GET", slurmPath + "/job/{job_id}", "get_job", "one job", listing, "", one("job", "job_id")},
		{partCtld, "POST", slurmPath + "/job/submit", "post_job_submit", "submit a batch job", nil, "job_submit_req", (*request).submit},
		{partCtld, "POST", slurmPath + "/job/allocate", "post_job_allocate", "an allocation without a script", nil, "job_alloc_req", (*request).allocate},
		{partCtld, "POST", slurmPath + "/job/{job_id}", "post_job", "change a job", nil, "job_desc_msg", (*request).updateJob},
		{partCtld, "DELETE", slurmPath + "/job/{job_id}", "delete_job", "signal or cancel a job",
			[]param{{"signal", "", "the signal; without one the job is cancelled"}, {"flags", "", "BATCH_JOB, FULL_JOB, HURRY, ..."}}, "", (*request).cancel},
		{partCtld, "GET", slurmPath + "/job/{job_id}/requeue", "get_job_requeue", "requeue a job", nil, "", func(q *request) {
			q.do(nil, scontrol.Run, "scontrol", "requeue", q.r.PathValue("job_id"))
		}},
		{partCtld, "GET", slurmPath + "/nodes", "get_nodes", "all nodes", listing, "", list("nodes")},
		{partCtld, "POST", slurmPath + "/nodes", "post_nodes", "change nodes", nil, "update_node_msg", (*request).updateNodes},
		{partCtld, "GET", slurmPath + "/node/{node_name}", "get_node", "one node", listing, "", one("node", "node_name")},
		{partCtld, "POST", slurmPath + "/node/{node_name}", "post_node", "change a node", nil, "update_node_msg", (*request).updateNodes},
		{partCtld, "DELETE", slurmPath + "/node/{node_name}", "delete_node", "take a node out of the cluster", nil, "", func(q *request) {
			q.do(nil, scontrol.Run, "scontrol", "delete", "nodename="+q.r.PathValue("node_name"))
		}},
		{partCtld, "GET", slurmPath + "/partitions", "get_partitions", "all partitions", listing, "", list("partitions")},
		{partCtld, "POST", slurmPath + "/partitions", "post_partitions", "make or change partitions", nil, "partition_mod_req", (*request).changePartitions},
		{partCtld, "GET", slurmPath + "/partition/{partition_name}", "get_partition", "one partition", listing, "", one("partition", "partition_name")},
		{partCtld, "DELETE", slurmPath + "/partition/{partition_name}", "delete_partition", "delete a partition", nil, "", func(q *request) {
			q.do(nil, scontrol.Run, "scontrol", "delete", "partitionname="+q.r.PathValue("partition_name"))
		}},
		{partCtld, "GET", slurmPath + "/reservations", "get_reservations", "all reservations", listing, "", list("reservations")},
		{partCtld, "POST", slurmPath + "/reservations", "post_reservations", "make or change reservations", nil, "reservation_mod_req", (*request).changeReservations},
		{partCtld, "POST", slurmPath + "/reservation", "post_reservation", "make or change a reservation", nil, "reservation_desc_msg", (*request).changeReservation},
		{partCtld, "GET", slurmPath + "/reservation/{reservation_name}", "get_reservation", "one reservation", listing, "", one("reservation", "reservation_name")},
		{partCtld, "DELETE", slurmPath + "/reservation/{reservation_name}", "delete_reservation", "delete a reservation", nil, "", func(q *request) {
			q.do(nil, scontrol.Run, "scontrol", "delete", "reservationname="+q.r.PathValue("reservation_name"))
		}},
	}
}

// showNamed answers with what has a name. A word that would be an option, or several, is
// no name.
func (q *request) showNamed(what, name string) {
	missing := map[string]error{"job": slurm.ErrnoInvalidJobID, "node": slurm.ErrnoInvalidNodeName, "partition": slurm.ErrnoInvalidPartition,
		"reservation": slurm.ErrnoReservationInvalid}[what]
	if name == "" || strings.ContainsAny(name, " =") || strings.HasPrefix(name, "-") {
		q.failed(missing)
		return
	}
	t := q.command(scontrol.Run, "scontrol", "show", what, name, q.encoding())
	if t.code != 0 {
		if p := problemOf(t.err); p.Number == errUnknown && strings.Contains(t.err, "not found") {
			q.failed(fmt.Errorf("%s %s: %w", what, name, missing))
			return
		}
		q.refused(t)
		return
	}
	q.put(http.StatusOK, []byte(t.out))
}

// options are the parameters of the query that are there, as options of a command.
func (q *request) options(params []param) (list []string) {
	for _, p := range params {
		if value := strings.Join(q.query[p.name], ","); value != "" && p.option != "" {
			list = append(list, p.option+"="+value)
		}
	}
	return list
}

// jobStates lists the states of jobs.
func (q *request) jobStates() {
	args := []string{"--only-job-state", "--all", "--states=all"}
	if ids := strings.Join(q.query["job_id"], ","); ids != "" {
		args = append(args, "--jobs="+ids)
	}
	q.show(squeue.Run, "squeue", args...)
}

// accounted are the parameters of slurmdb's jobs, and sacct's options for them.
var accounted = []param{
	{"account", "--accounts", "of these accounts"}, {"association", "--associations", "of these associations"}, {"cluster", "--clusters", "of this cluster"},
	{"constraints", "--constraints", "that asked for these features"}, {"end_time", "--endtime", "that were there before then"},
	{"groups", "--gid", "of these groups"}, {"job_name", "--name", "of these names"}, {"node", "--nodelist", "that had these nodes"},
	{"partition", "--partition", "in these partitions"}, {"qos", "--qos", "of these QOS"}, {"reason", "--reason", "that waited for this"},
	{"start_time", "--starttime", "that were there after then"}, {"state", "--state", "in these states"}, {"step", "--jobs", "these jobs and steps"},
	{"timelimit_max", "--timelimit-max", "with a limit of at most so many minutes"}, {"timelimit_min", "--timelimit-min", "with a limit of at least so many minutes"},
	{"users", "--user", "of these users"}, {"wckey", "--wckeys", "of these wckeys"},
	{"show_duplicates", "", "earlier runs too"}, {"skip_steps", "", "without their steps"},
	{"usage_start", "--starttime", "the same as start_time"}, {"usage_end", "--endtime", "the same as end_time"},
}

func dbdRoutes() []route {
	list := func(entity string, more ...string) func(*request) {
		return func(q *request) {
			q.show(sacctmgr.Run, "sacctmgr", append([]string{"show", entity}, q.where(more)...)...)
		}
	}
	assoc := []param{{"account", "account", ""}, {"cluster", "cluster", ""}, {"partition", "partition", ""}, {"user", "user", ""}, {"qos", "qos", ""},
		{"id", "id", ""}, {"parent_account", "parent", ""}}
	deleted := param{"with_deleted", "", "deleted ones too"}
	return []route{
		{partDBD, "GET", dbPath + "/jobs", "slurmdb_get_jobs", "jobs as accounting has them", accounted, "", func(q *request) {
			args := []string{"--allusers"}
			if q.query.Get("start_time") == "" && q.query.Get("usage_start") == "" {
				args = append(args, "--starttime=1970-01-01")
			}
			q.accounting(append(args, q.options(accounted)...))
		}},
		{partDBD, "GET", dbPath + "/job/{job_id}", "slurmdb_get_job", "one job as accounting has it", nil, "", func(q *request) {
			id := q.r.PathValue("job_id")
			if _, err := slurm.ParseJobRefs(id); err != nil {
				q.failed(slurm.ErrnoInvalidJobID)
				return
			}
			q.accounting([]string{"--allusers", "--jobs=" + id})
		}},
		{partDBD, "GET", dbPath + "/ping", "slurmdb_get_ping", "whether accounting answers", nil, "", func(q *request) { q.show(sacctmgr.Run, "sacctmgr", "ping") }},
		{partDBD, "GET", dbPath + "/diag", "slurmdb_get_diag", "what accounting has done", nil, "", func(q *request) { q.show(sacctmgr.Run, "sacctmgr", "show", "stats") }},
		{partDBD, "GET", dbPath + "/conf", "slurmdb_get_conf", "the configuration in force", nil, "", func(q *request) { q.show(scontrol.Run, "scontrol", "show", "config") }},
		{partDBD, "GET", dbPath + "/config", "slurmdb_get_config", "all of the accounts", nil, "", (*request).wholeDatabase},
		{partDBD, "GET", dbPath + "/tres", "slurmdb_get_tres", "what is counted", nil, "", list("tres")},
		{partDBD, "GET", dbPath + "/clusters", "slurmdb_get_clusters", "all clusters", []param{{"cluster", "cluster", ""}, deleted}, "", list("cluster")},
		{partDBD, "GET", dbPath + "/cluster/{cluster_name}", "slurmdb_get_cluster", "one cluster", nil, "", oneOf("cluster", "cluster", "cluster_name")},
		{partDBD, "GET", dbPath + "/accounts", "slurmdb_get_accounts", "all accounts", []param{{"description", "description", ""}, {"organization", "organization", ""}, {"account", "account", ""}, deleted,
			{"with_assocs", "", "with their associations"}, {"with_coords", "", "with their coordinators"}, {"DELETED", "", ""}}, "", list("account", "withassoc", "withcoord")},
		{partDBD, "GET", dbPath + "/account/{account_name}", "slurmdb_get_account", "one account", nil, "", oneOf("account", "account", "account_name", "withassoc", "withcoord")},
		{partDBD, "GET", dbPath + "/users", "slurmdb_get_users", "all users", []param{{"admin_level", "adminlevel", ""}, {"default_account", "defaultaccount", ""}, {"default_wckey", "defaultwckey", ""},
			{"name", "user", ""}, deleted, {"with_assocs", "", "with their associations"}, {"with_coords", "", "with the accounts they coordinate"}}, "", list("user", "withassoc", "withcoord")},
		{partDBD, "GET", dbPath + "/user/{name}", "slurmdb_get_user", "one user", nil, "", oneOf("user", "user", "name", "withassoc", "withcoord")},
		{partDBD, "GET", dbPath + "/qos", "slurmdb_get_qos", "all QOS", []param{{"name", "name", ""}, {"id", "id", ""}, {"description", "description", ""}, deleted}, "", list("qos")},
		{partDBD, "GET", dbPath + "/qos/{qos}", "slurmdb_get_single_qos", "one QOS", nil, "", oneOf("qos", "name", "qos")},
		{partDBD, "GET", dbPath + "/associations", "slurmdb_get_associations", "associations", append(slices.Clone(assoc), deleted), "", list("association")},
		{partDBD, "GET", dbPath + "/association", "slurmdb_get_association", "one association", assoc, "", list("association")},
		{partDBD, "GET", dbPath + "/wckeys", "slurmdb_get_wckeys", "wckeys", []param{{"name", "name", ""}, {"user", "user", ""}, {"cluster", "cluster", ""}, {"id", "id", ""}, deleted}, "", list("wckey")},
		{partDBD, "GET", dbPath + "/wckey/{id}", "slurmdb_get_wckey", "one wckey", nil, "", oneOf("wckey", "id", "id")},
		{partDBD, "GET", dbPath + "/instances", "slurmdb_get_instances", "instances of a cloud, of which there are none", nil, "", func(q *request) {
			q.answer(http.StatusOK, show.Object{{Key: "instances", Value: []any{}}})
		}},
	}
}

// accounting answers with jobs from accounting.
func (q *request) accounting(args []string) {
	if on(q.query.Get("show_duplicates")) {
		args = append(args, "--duplicates")
	}
	if on(q.query.Get("skip_steps")) {
		args = append(args, "--allocations")
	}
	for i, arg := range args { // times come as seconds
		option, value, _ := strings.Cut(arg, "=")
		if (option == "--starttime" || option == "--endtime") && digits(value) {
			args[i] = option + "=uts" + value
		}
	}
	q.show(sacct.Run, "sacct", args...)
}

// on reads a flag of a query.
func on(value string) bool {
	switch strings.ToLower(value) {
	case "", "0", "false", "no":
		return false
	}
	return true
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// where makes the words of sacctmgr of a query.
func (q *request) where(words []string) []string {
	for _, name := range sortedKeys(q.query) {
		value := strings.Join(q.query[name], ",")
		switch key := dbWords[name]; {
		case name == "with_deleted" || name == "DELETED":
			if on(value) {
				words = append(words, "withdeleted")
			}
		case key != "" && value != "":
			words = append(words, key+"="+value)
		}
	}
	return words
}

// dbWords are sacctmgr's words for parameters of slurmdb's queries.
var dbWords = map[string]string{
	"account": "account", "cluster": "cluster", "partition": "partition", "user": "user", "qos": "qos", "id": "id", "parent_account": "parent",
	"description": "description", "organization": "organization", "admin_level": "adminlevel", "default_account": "defaultaccount",
	"default_wckey": "defaultwckey", "name": "name",
}

// oneOf answers with what of an entity has the name in the path.
func oneOf(entity, word, key string, more ...string) func(*request) {
	return func(q *request) {
		name := q.r.PathValue(key)
		q.show(sacctmgr.Run, "sacctmgr", append([]string{"show", entity, word + "=" + name}, more...)...)
	}
}

func sortedKeys(m map[string][]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// dbdChanges are the routes of slurmdb that change something.
func dbdChanges() []route {
	drop := func(entity, word, key string) func(*request) {
		return func(q *request) { q.drop(entity, word+"="+q.r.PathValue(key)) }
	}
	one := []param{{"account", "", ""}, {"cluster", "", ""}, {"partition", "", ""}, {"user", "", ""}, {"id", "", ""}, {"qos", "", ""}, {"parent_account", "", ""}, {"with_deleted", "", ""}}
	return []route{
		{partDBD, "POST", dbPath + "/accounts", "slurmdb_post_accounts", "make or change accounts", nil, "accounts", (*request).putAccounts},
		{partDBD, "DELETE", dbPath + "/account/{account_name}", "slurmdb_delete_account", "delete an account", nil, "", drop("account", "name", "account_name")},
		{partDBD, "POST", dbPath + "/accounts_association", "slurmdb_post_accounts_association", "make accounts with their associations", nil, "accounts_add_cond", (*request).putAccountsAssociation},
		{partDBD, "POST", dbPath + "/users", "slurmdb_post_users", "make or change users", nil, "users", (*request).putUsers},
		{partDBD, "DELETE", dbPath + "/user/{name}", "slurmdb_delete_user", "delete a user", nil, "", drop("user", "name", "name")},
		{partDBD, "POST", dbPath + "/users_association", "slurmdb_post_users_association", "make users with their associations", nil, "users_add_cond", (*request).putUsersAssociation},
		{partDBD, "POST", dbPath + "/qos", "slurmdb_post_qos", "make or change QOS", nil, "qos", (*request).putQOS},
		{partDBD, "DELETE", dbPath + "/qos/{qos}", "slurmdb_delete_single_qos", "delete a QOS", nil, "", drop("qos", "name", "qos")},
		{partDBD, "POST", dbPath + "/associations", "slurmdb_post_associations", "make or change associations", nil, "associations", (*request).putAssociations},
		{partDBD, "DELETE", dbPath + "/associations", "slurmdb_delete_associations", "delete associations", one, "", (*request).dropAssociations},
		{partDBD, "DELETE", dbPath + "/association", "slurmdb_delete_association", "delete an association", one, "", (*request).dropAssociations},
		{partDBD, "POST", dbPath + "/wckeys", "slurmdb_post_wckeys", "make wckeys", nil, "wckeys", (*request).putWCKeys},
		{partDBD, "DELETE", dbPath + "/wckey/{id}", "slurmdb_delete_wckey", "delete a wckey", nil, "", drop("wckey", "id", "id")},
		{partDBD, "POST", dbPath + "/clusters", "slurmdb_post_clusters", "make or change clusters", nil, "clusters", (*request).oneClusterOnly},
		{partDBD, "DELETE", dbPath + "/cluster/{cluster_name}", "slurmdb_delete_cluster", "delete a cluster", nil, "", (*request).oneClusterOnly},
		{partDBD, "POST", dbPath + "/tres", "slurmdb_post_tres", "make kinds that are counted", nil, "tres", (*request).countedByConfig},
		{partDBD, "POST", dbPath + "/config", "slurmdb_post_config", "make or change all that is in the document", nil, "config", (*request).putConfig},
		{partDBD, "POST", dbPath + "/job/{job_id}", "slurmdb_post_job", "change the record of a job", nil, "job_modify", (*request).amendJob},
		{partDBD, "POST", dbPath + "/jobs", "slurmdb_post_jobs", "change the records of jobs", nil, "job_modify", (*request).amendJobs},
	}
}

func utilRoutes() []route {
	return []route{
		{partUtil, "POST", "/util/{version}/hostnames", "util_post_hostnames", "the names in a host list", nil, "hostlist", func(q *request) {
			var in struct{ Hostlist string }
			if !q.body(&in) {
				return
			}
			names, err := slurm.ParseHostList(in.Hostlist)
			if err != nil {
				q.failed(err)
				return
			}
			q.answer(http.StatusOK, show.Object{{Key: "hostnames", Value: slices.Collect(names.All())}})
		}},
		{partUtil, "POST", "/util/{version}/hostlist", "util_post_hostlist", "names as a host list", nil, "hostnames", func(q *request) {
			var in struct{ Hostnames []string }
			if q.body(&in) {
				q.answer(http.StatusOK, show.Object{{Key: "hostlist", Value: slurm.Compress(in.Hostnames)}})
			}
		}},
	}
}
