package rinkrestd

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/cmds/sacctmgr"
	"github.com/runink/rink/slurm"
)

// record is an object of the accounts as it came.
type record = map[string]any

// limitWords are sacctmgr's words for the limits of an association, by where they stand
// in the data parser's object.
var limitWords = map[string]string{
	"default/qos": "DefaultQOS", "max/jobs/per/count": "GrpJobs", "max/jobs/per/accruing": "GrpJobsAccrue", "max/jobs/per/submitted": "GrpSubmitJobs",
	"max/jobs/per/wall_clock": "MaxWall", "max/jobs/active": "MaxJobs", "max/jobs/accruing": "MaxJobsAccrue", "max/jobs/total": "MaxSubmitJobs",
	"max/tres/total": "GrpTRES", "max/tres/group/minutes": "GrpTRESMins", "max/tres/group/active": "GrpTRESRunMins", "max/tres/minutes/per/job": "MaxTRESMins",
	"max/tres/per/job": "MaxTRES", "max/tres/per/node": "MaxTRESPerNode", "max/per/account/wall_clock": "GrpWall", "priority": "Priority", "qos": "QosLevel",
	"shares_raw": "Fairshare", "comment": "Comment", "fairshare": "Fairshare", "defaultqos": "DefaultQOS", "grpjobs": "GrpJobs", "grpjobsaccrue": "GrpJobsAccrue",
	"grpsubmitjobs": "GrpSubmitJobs", "grptres": "GrpTRES", "grptresmins": "GrpTRESMins", "grptresrunmins": "GrpTRESRunMins", "grpwall": "GrpWall", "maxjobs": "MaxJobs",
	"maxjobsaccrue": "MaxJobsAccrue", "maxsubmitjobs": "MaxSubmitJobs", "maxtresperjob": "MaxTRES", "maxtresminsperjob": "MaxTRESMins", "maxtrespernode": "MaxTRESPerNode",
	"maxwalldurationperjob": "MaxWall", "qoslevel": "QosLevel",
}

// qosWords are those for the limits of a QOS.
var qosWords = map[string]string{
	"description": "Description", "limits/grace_time": "GraceTime", "limits/max/active_jobs/accruing": "GrpJobsAccrue", "limits/max/active_jobs/count": "GrpJobs",
	"limits/max/accruing/per/account": "MaxJobsAccruePerAccount", "limits/max/accruing/per/user": "MaxJobsAccruePerUser", "limits/max/tres/total": "GrpTRES",
	"limits/max/tres/minutes/total": "GrpTRESRunMins", "limits/max/tres/minutes/per/qos": "GrpTRESMins", "limits/max/tres/minutes/per/job": "MaxTRESMins",
	"limits/max/tres/per/account": "MaxTRESPerAccount", "limits/max/tres/per/job": "MaxTRES", "limits/max/tres/per/node": "MaxTRESPerNode",
	"limits/max/tres/per/user": "MaxTRESPerUser", "limits/max/wall_clock/per/qos": "GrpWall", "limits/max/wall_clock/per/job": "MaxWall",
	"limits/max/jobs/count": "GrpSubmitJobs", "limits/max/jobs/active_jobs/per/account": "MaxJobsPerAccount", "limits/max/jobs/active_jobs/per/user": "MaxJobsPerUser",
	"limits/max/jobs/per/account": "MaxSubmitJobsPerAccount", "limits/max/jobs/per/user": "MaxSubmitJobsPerUser", "limits/factor": "LimitFactor",
	"limits/min/priority_threshold": "MinPrioThreshold", "limits/min/tres/per/job": "MinTRES", "preempt/list": "Preempt", "preempt/mode": "PreemptMode",
	"preempt/exempt_time": "PreemptExemptTime", "priority": "Priority", "usage_factor": "UsageFactor", "usage_threshold": "UsageThreshold", "flags": "Flags",
}

// qosFlagWords are sacctmgr's names of the flags of a QOS, by the data parser's.
var qosFlagWords = map[string]string{
	"DENY_LIMIT": "DenyOnLimit", "ENFORCE_USAGE_THRESHOLD": "EnforceUsageThreshold", "NO_RESERVE": "NoReserve", "PARTITION_MAXIMUM_NODE": "PartitionMaxNodes",
	"PARTITION_MINIMUM_NODE": "PartitionMinNodes", "OVERRIDE_PARTITION_QOS": "OverPartQOS", "PARTITION_TIME_LIMIT": "PartitionTimeLimit",
	"REQUIRED_RESERVATION": "RequiresReservation", "NO_DECAY": "NoDecay", "USAGE_FACTOR_SAFE": "UsageFactorSafe", "RELATIVE": "Relative",
}

// limits makes sacctmgr's words of what is set in an object.
func limits(in record, words map[string]string) (list []string, err error) {
	var walk func(at string, v any) error
	walk = func(at string, v any) error {
		if word := words[at]; word != "" && v != nil {
			text, given, err := limit(word, v)
			if err == nil && given {
				list = append(list, word+"="+text)
			}
			if err != nil {
				return &badField{at, err}
			}
			return nil
		}
		if object, ok := v.(record); ok {
			for _, name := range slices.Sorted(maps.Keys(object)) {
				if err := walk(strings.TrimPrefix(at+"/"+name, "/"), object[name]); err != nil {
					return err
				}
			}
		}
		return nil
	}
	return list, walk("", in)
}

// none is how sacctmgr is told that a limit goes.
const none = "-1"

// limit reads one limit; given is false where it is not to be touched.
func limit(word string, v any) (text string, given bool, err error) {
	switch v := v.(type) {
	case record: // a number
		if f, ok := v["number"].(json.Number); ok && v["set"] != false && v["infinite"] != true {
			return f.String(), true, nil
		}
		n, err := readNumber(v)
		if n.infinite {
			return none, true, err
		}
		return fmt.Sprint(n.n), n.set, err
	case []any:
		if len(v) == 0 {
			return "", false, nil
		}
		if _, ok := v[0].(record); ok {
			text, err := tres(v)
			return text, true, err
		}
		text, err := readText(v)
		if word == "Flags" {
			flags := strings.Split(text, ",")
			for i, f := range flags {
				flags[i] = show.Or(qosFlagWords[strings.ToUpper(f)], f)
			}
			text = strings.Join(flags, ",")
		}
		if word == "PreemptMode" && strings.EqualFold(text, "DISABLED") {
			return "", false, err
		}
		return text, true, err
	}
	text, err = readText(v)
	return text, text != "", err
}

// tres reads a list of amounts as sacctmgr takes them.
func tres(list []any) (string, error) {
	words := make([]string, len(list))
	for i, one := range list {
		o, ok := one.(record)
		kind, _ := o["type"].(string)
		if !ok || kind == "" {
			return "", fmt.Errorf("entry %d has no type", i)
		}
		if name, _ := o["name"].(string); name != "" {
			kind += "/" + name
		}
		n, err := readNumber(o["count"])
		if err != nil {
			return "", err
		}
		words[i] = fmt.Sprintf("%s=%d", kind, n.n)
	}
	return strings.Join(words, ","), nil
}

// sacctmgr runs sacctmgr without questions. What is as it is to be is no error.
func (q *request) sacctmgr(args ...string) (told, bool) {
	t := q.command(sacctmgr.Run, "sacctmgr", append([]string{"-i"}, args...)...)
	if t.code != 0 && !strings.Contains(t.out+t.err, "Nothing modified") && !strings.Contains(t.out+t.err, "Nothing new added") {
		if t.err == "" {
			t.err = t.out
		}
		return t, false
	}
	return t, true
}

// there reports whether a listing finds something.
func (q *request) there(args ...string) bool {
	t := q.command(sacctmgr.Run, "sacctmgr", append([]string{"-n", "-P", "show"}, args...)...)
	return t.code == 0 && strings.TrimSpace(t.out) != ""
}

// each calls f for the objects of a list in the request's document, and answers.
func (q *request) each(key string, f func(record) ([]string, error)) {
	in := record{}
	if q.body(&in) && q.all(in, key, f) {
		q.answer(http.StatusOK, nil)
	}
}

// all works through one list of a document. f returns what to call sacctmgr with; several calls
// are parted by "". False: it was answered what is wrong.
func (q *request) all(in record, key string, f func(record) ([]string, error)) bool {
	list, ok := in[key].([]any)
	if !ok {
		q.fail(http.StatusBadRequest, problem{Description: fmt.Sprintf("the request has no list %q", key), Error: "Unable to parse query", Number: errParsing, Source: "#/" + key})
		return false
	}
	for i, v := range list {
		one, ok := v.(record)
		if !ok {
			q.unread(&badField{fmt.Sprintf("#/%s/[%d]", key, i), fmt.Errorf("a %s is not an object", kindOf(v))})
			return false
		}
		args, err := f(one)
		if err != nil {
			q.unread(&badField{fmt.Sprintf("#/%s/[%d]", key, i), err})
			return false
		}
		for _, call := range calls(args) {
			if t, ok := q.sacctmgr(call...); !ok {
				q.refused(t)
				return false
			}
		}
	}
	return true
}

func calls(args []string) (list [][]string) {
	for len(args) > 0 {
		at := slices.Index(args, "")
		if at < 0 {
			return append(list, args)
		}
		if at > 0 {
			list = append(list, args[:at])
		}
		args = args[at+1:]
	}
	return list
}

// named is an object's name, which it must have.
func named(in record, key string) (string, error) {
	name, err := readText(in[key])
	if err == nil && name == "" {
		err = fmt.Errorf("it has no %s", key)
	}
	return name, err
}

// some makes words of those of an object's members that are there.
func some(in record, pairs ...string) (list []string, err error) {
	for i := 0; i < len(pairs); i += 2 {
		text, err := readText(in[pairs[i]])
		if err != nil {
			return nil, &badField{pairs[i], err}
		}
		if text != "" {
			list = append(list, pairs[i+1]+"="+text)
		}
	}
	return list, nil
}

func (q *request) putAccounts() { q.each("accounts", q.account) }

func (q *request) account(in record) ([]string, error) {
	name, err := named(in, "name")
	if err != nil {
		return nil, err
	}
	words, err := some(in, "description", "Description", "organization", "Organization")
	if err != nil {
		return nil, err
	}
	var args []string
	switch there := q.there("account", "name="+name); {
	case !there:
		args = append([]string{"add", "account", name}, words...)
	case len(words) > 0:
		args = append([]string{"modify", "account", "where", "name=" + name, "set"}, words...)
	}
	for _, c := range listOf(in["coordinators"]) {
		coord, err := readText(c)
		if o, ok := c.(record); ok {
			coord, err = named(o, "name")
		}
		if err != nil {
			return nil, err
		}
		args = append(args, "", "add", "coordinator", "account="+name, "names="+coord)
	}
	return args, nil
}

func listOf(v any) []any {
	list, _ := v.([]any)
	return list
}

func (q *request) putUsers() { q.each("users", q.user) }

func (q *request) user(in record) ([]string, error) {
	name, err := named(in, "name")
	if err != nil {
		return nil, err
	}
	level, err := some(in, "administrator_level", "AdminLevel")
	if err != nil {
		return nil, err
	}
	fall, _ := in["default"].(record)
	words, err := some(fall, "account", "DefaultAccount", "wckey", "DefaultWCKey")
	if err != nil {
		return nil, err
	}
	if words = append(words, level...); q.there("user", "name="+name) {
		if len(words) == 0 {
			return nil, nil
		}
		return append([]string{"modify", "user", "where", "name=" + name, "set"}, words...), nil
	}
	account, err := readText(fall["account"])
	if err != nil {
		return nil, err
	}
	if account != "" {
		words = append([]string{"Account=" + account}, words...)
	}
	args := append([]string{"add", "user", name}, words...)
	for _, a := range listOf(in["associations"]) {
		if o, ok := a.(record); ok {
			if other, _ := readText(o["account"]); other != "" && other != account {
				args = append(args, "", "add", "user", name, "Account="+other)
			}
		}
	}
	return args, nil
}

func (q *request) putQOS() { q.each("qos", q.qos) }

func (q *request) qos(in record) ([]string, error) {
	name, err := named(in, "name")
	if err != nil {
		return nil, err
	}
	words, err := limits(in, qosWords)
	if err != nil {
		return nil, err
	}
	if !q.there("qos", "name="+name) {
		return append([]string{"add", "qos", name}, words...), nil
	}
	if len(words) == 0 {
		return nil, nil
	}
	return append([]string{"modify", "qos", "where", "name=" + name, "set"}, words...), nil
}

func (q *request) putAssociations() { q.each("associations", q.association) }

func (q *request) association(in record) ([]string, error) {
	account, err := named(in, "account")
	if err != nil {
		return nil, err
	}
	user, err := readText(in["user"])
	if err != nil {
		return nil, err
	}
	partition, err := readText(in["partition"])
	if err != nil {
		return nil, err
	}
	words, err := limits(in, limitWords)
	if err != nil {
		return nil, err
	}
	where := []string{"account=" + account}
	entity, add := "account", []string{"add", "account", account}
	if user != "" {
		entity, where, add = "user", append(where, "user="+user), []string{"add", "user", user, "Account=" + account}
	}
	if partition != "" {
		where, add = append(where, "partition="+partition), append(add, "Partition="+partition)
	}
	if parent, _ := readText(in["parent_account"]); parent != "" && user == "" {
		add, words = append(add, "Parent="+parent), append(words, "Parent="+parent)
	}
	if user != "" {
		words = slices.DeleteFunc(words, func(w string) bool { return strings.HasPrefix(w, "Parent=") })
	}
	var args []string
	if !q.there(append([]string{"association"}, where...)...) {
		args = append(add, "")
	}
	if len(words) > 0 {
		names := slices.Clone(where)
		if user == "" {
			names[0] = "name=" + account
		} else {
			names[1] = "name=" + user
		}
		args = append(append(append(args, "modify", entity, "where"), names...), append([]string{"set"}, words...)...)
	}
	if is, _ := readBool(in["is_default"]); is && user != "" {
		args = append(args, "", "modify", "user", "where", "name="+user, "set", "DefaultAccount="+account)
	}
	return args, nil
}

func (q *request) putWCKeys() {
	q.each("wckeys", func(in record) ([]string, error) {
		name, err := named(in, "name")
		if err != nil {
			return nil, err
		}
		user, err := named(in, "user")
		if err != nil {
			return nil, err
		}
		return []string{"add", "user", user, "WCKeys=" + name}, nil
	})
}

// putAccountsAssociation makes accounts, each on its place.
func (q *request) putAccountsAssociation() {
	var in struct {
		AssociationCondition record `json:"association_condition"`
		Account              record `json:"account"`
	}
	if !q.body(&in) {
		return
	}
	cond := in.AssociationCondition
	words, err := some(in.Account, "description", "Description", "organization", "Organization")
	var more []string
	if err == nil {
		inner, _ := cond["association"].(record)
		more, err = limits(inner, limitWords)
		if parent, _ := readText(inner["parent"]); parent != "" {
			more = append(more, "Parent="+parent)
		}
	}
	names, nerr := readText(cond["accounts"])
	switch {
	case err != nil:
		q.unread(err)
		return
	case nerr != nil || names == "":
		q.unread(&badField{"#/association_condition/accounts", fmt.Errorf("no account is named")})
		return
	}
	q.added("added_accounts", append(append([]string{"add", "account", names}, words...), more...))
}

// putUsersAssociation makes users with an association each.
func (q *request) putUsersAssociation() {
	var in struct {
		AssociationCondition record `json:"association_condition"`
		User                 record `json:"user"`
	}
	if !q.body(&in) {
		return
	}
	cond := in.AssociationCondition
	words, err := some(cond, "accounts", "Account", "partitions", "Partition", "wckeys", "WCKeys")
	if err == nil {
		var more []string
		inner, _ := cond["association"].(record)
		if more, err = limits(inner, limitWords); err == nil {
			words = append(words, more...)
			more, err = some(in.User, "adminlevel", "AdminLevel", "defaultaccount", "DefaultAccount", "defaultwckey", "DefaultWCKey")
			words = append(words, more...)
		}
	}
	names, nerr := readText(cond["users"])
	switch {
	case err != nil:
		q.unread(err)
		return
	case nerr != nil || names == "":
		q.unread(&badField{"#/association_condition/users", fmt.Errorf("no user is named")})
		return
	}
	q.added("added_users", append([]string{"add", "user", names}, words...))
}

// added has sacctmgr add something, and answers with what it says of it.
func (q *request) added(key string, args []string) {
	t, ok := q.sacctmgr(args...)
	if !ok {
		q.refused(t)
		return
	}
	q.answer(http.StatusOK, show.Object{{Key: key, Value: t.out}})
}

// putConfig makes or changes all that is in a document as GET config gives it.
func (q *request) putConfig() {
	in := record{}
	if !q.body(&in) {
		return
	}
	for _, l := range []struct {
		key string
		f   func(record) ([]string, error)
	}{{"qos", q.qos}, {"accounts", q.account}, {"users", q.user}, {"associations", q.association}} {
		if in[l.key] != nil && !q.all(in, l.key, l.f) {
			return
		}
	}
	q.answer(http.StatusOK, nil)
}

// drop deletes what has a name, and answers with what went.
func (q *request) drop(entity, word string) {
	t, ok := q.sacctmgr("delete", entity, "where", word)
	if !ok {
		q.refused(t)
		return
	}
	_, name, _ := strings.Cut(word, "=")
	key := map[string]string{"account": "removed_accounts", "user": "removed_users", "qos": "removed_qos", "wckey": "deleted_wckeys"}[entity]
	q.answer(http.StatusOK, show.Object{{Key: key, Value: []string{name}}})
}

// dropAssociations deletes the associations of a query.
func (q *request) dropAssociations() {
	user, account := q.query.Get("user"), q.query.Get("account")
	words := q.where(nil)
	if len(words) == 0 {
		q.fail(http.StatusUnprocessableEntity, problem{Description: "nothing says which associations are meant", Error: "Invalid query", Number: errInvalidQuery})
		return
	}
	entity := "user"
	if user == "" && account != "" {
		entity = "account"
		for i, w := range words {
			if name, ok := strings.CutPrefix(w, "account="); ok {
				words[i] = "name=" + name
			}
		}
	} else {
		for i, w := range words {
			if name, ok := strings.CutPrefix(w, "user="); ok {
				words[i] = "name=" + name
			}
		}
	}
	t, ok := q.sacctmgr(append([]string{"delete", entity, "where"}, words...)...)
	if !ok {
		q.refused(t)
		return
	}
	var gone []string
	for _, line := range lines(t.out) {
		if strings.Contains(line, "=") {
			gone = append(gone, line)
		}
	}
	q.answer(http.StatusOK, show.Object{{Key: "removed_associations", Value: append([]string{}, gone...)}})
}

// oneClusterOnly refuses to make or delete clusters.
func (q *request) oneClusterOnly() {
	q.refusedHere("the controller keeps the accounts of its own cluster, which is there as long as it is")
}

// countedByConfig refuses to make kinds of TRES.
func (q *request) countedByConfig() {
	q.refusedHere("what is counted follows from the configuration: AccountingStorageTRES and the nodes' Gres")
}

func (q *request) refusedHere(why string) {
	q.fail(http.StatusInternalServerError, problem{Description: why, Error: slurm.ErrnoNotSupported.Error(), Number: int(slurm.ErrnoNotSupported)})
}

// amended are what may be changed of the record of a job that has ended.
var amended = []string{"admin_comment", "AdminComment", "comment", "Comment", "derived_exit_code", "DerivedExitCode", "extra", "Extra", "system_comment", "SystemComment", "wckey", "WCKey"}

// amendJob is POST job/{job_id} of slurmdb.
func (q *request) amendJob() {
	id, ok := q.jobID()
	in := record{}
	if ok && q.body(&in) {
		q.amend(id, in)
	}
}

// amendJobs is POST jobs of slurmdb.
func (q *request) amendJobs() {
	in := record{}
	if !q.body(&in) {
		return
	}
	ids, err := readText(in["job_id_list"])
	if err != nil || ids == "" {
		q.unread(&badField{"#/job_id_list", fmt.Errorf("no job is named")})
		return
	}
	inner, _ := in["job_rec"].(record)
	q.amend(ids, inner)
}

func (q *request) amend(ids string, in record) {
	comments, _ := in["comment"].(record) // as listings have it
	if comments != nil {
		in = maps.Clone(in)
		delete(in, "comment")
		for from, to := range map[string]string{"administrator": "admin_comment", "job": "comment", "system": "system_comment"} {
			if v := comments[from]; v != nil {
				in[to] = v
			}
		}
	}
	words, err := some(in, amended...)
	if err != nil {
		q.unread(err)
		return
	}
	if len(words) == 0 {
		q.unread(&badField{"#", fmt.Errorf("nothing is to be changed")})
		return
	}
	t, ok := q.sacctmgr(append([]string{"modify", "job", "where", "jobid=" + ids, "set"}, words...)...)
	if !ok {
		q.refused(t)
		return
	}
	q.answer(http.StatusOK, show.Object{{Key: "results", Value: t.out}})
}
