package scontrol

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/slurm"
)

// pairs reads KEY=VALUE, KEY+=VALUE and KEY-=VALUE words. A word without a sign
// is a key with an empty value and no sign.
func pairs(words []string) []*rinkpb.KeyValue {
	out := make([]*rinkpb.KeyValue, len(words))
	for i, w := range words {
		key, value, ok := strings.Cut(w, "=")
		kv := &rinkpb.KeyValue{Key: key, Value: value}
		if ok {
			kv.Op = "="
			if n := len(key) - 1; n > 0 && (key[n] == '+' || key[n] == '-') {
				kv.Key, kv.Op = key[:n], key[n:]+"="
			}
		}
		out[i] = kv
	}
	return out
}

// target takes the pair that says what is to be changed out of the list: the
// first with one of these keys.
func target(list []*rinkpb.KeyValue, keys ...string) (value string, rest []*rinkpb.KeyValue, ok bool) {
	for i, kv := range list {
		for _, k := range keys {
			if strings.EqualFold(kv.Key, k) && kv.Op == "=" {
				rest = append(append(rest, list[:i]...), list[i+1:]...)
				return kv.Value, rest, true
			}
		}
	}
	return "", list, false
}

// update is "update ENTITY=NAME KEY=VALUE...".
func (c *call) update(args []string) int {
	if ofReservation(args) {
		return c.updateReservation(args)
	}
	// The entity may stand apart: update job 12 timelimit=5.
	if len(args) > 1 && !strings.Contains(args[0], "=") && !strings.Contains(args[1], "=") {
		args = append([]string{args[0] + "=" + args[1]}, args[2:]...)
	}
	list := pairs(args)
	if value, rest, ok := target(list, "jobid", "job"); ok {
		return c.updateJobs(value, "", rest)
	}
	if value, rest, ok := target(list, "nodename", "nodenam", "nodena", "noden", "node", "nod"); ok {
		return c.updateNodes(value, rest)
	}
	if value, rest, ok := target(list, "partitionname", "partition"); ok {
		return c.modifyPartition(&rinkpb.ModifyPartitionRequest{Name: value}, rest)
	}
	for _, none := range []struct{ key, what string }{
		{"suspendexcnodes", "power saving"}, {"suspendexcparts", "power saving"},
		{"suspendexcstates", "power saving"},
	} {
		if _, _, ok := target(list, none.key); ok {
			c.env.Errorf("cannot update %s: this cluster has no %s", none.key, none.what)
			return 1
		}
	}
	if value, _, ok := target(list, "slurmctlddebug"); ok {
		if c.setDebug([]string{value}) != 0 {
			if !slurm.ValidLogLevel(value) {
				fmt.Fprintln(c.env.Stderr, "slurm_update error: No error")
			}
			return 1
		}
		return 0
	}
	if value, rest, ok := target(list, "stepid", "stepi", "step"); ok {
		return c.updateStep(value, rest)
	}
	if _, rest, ok := target(list, "frontendname", "frontend"); ok && len(rest) == 0 {
		fmt.Fprintln(c.env.Stderr, "No changes specified")
		return 1
	}
	if value, rest, ok := target(list, "jobname"); ok {
		return c.updateJobs("", value, rest)
	}
	if args[0] == "jobid" || args[0] == "JobId" {
		fmt.Fprintf(c.env.Stderr, "Invalid input: %s\nRequest aborted\n", args[0])
		return 1
	}
	fmt.Fprintln(c.env.Stderr, "No valid entity in update command")
	fmt.Fprintln(c.env.Stderr, `Input line must include "NodeName", "PartitionName", "Reservation", "JobId", or "SlurmctldDebug"`)
	return 1
}

// jobKeys are what may be changed of a job: the word as people write it, how many
// letters of it are enough, and what the controller calls it when that differs.
var jobKeys = []struct {
	name    string
	letters int
	as      string
}{
	{"Account", 2, ""}, {"AdminComment", 3, ""}, {"ArrayTaskThrottle", 10, ""}, {"BurstBuffer", 1, ""}, {"Clusters", 8, ""}, {"ClusterFeatures", 8, ""},
	{"Comment", 3, ""}, {"Contiguous", 3, ""}, {"CoreSpec", 4, ""}, {"CPUsPerTask", 9, ""}, {"CPUs/Task", 9, "cpuspertask"},
	{"Deadline", 3, ""}, {"DelayBoot", 3, ""}, {"Dependency", 1, ""}, {"EligibleTime", 2, "starttime"}, {"EndTime", 2, ""}, {"ExcNodeList", 3, ""},
	{"Features", 1, ""}, {"Gres", 2, ""}, {"JobName", 4, ""}, {"Licenses", 1, ""}, {"MailType", 5, ""}, {"MailUser", 5, ""},
	{"MCSLabel", 3, ""}, {"MinCPUsNode", 4, ""}, {"MinMemoryCPU", 10, ""}, {"MinMemoryNode", 10, ""}, {"MinTmpDiskNode", 4, ""}, {"Name", 2, "jobname"},
	{"Nice", 2, ""}, {"NodeList", 8, ""}, {"NumCPUs", 6, ""}, {"NumNodes", 4, ""}, {"NumTasks", 8, ""}, {"OverSubscribe", 2, ""}, {"Partition", 2, ""},
	{"Prefer", 3, ""}, {"Priority", 2, ""}, {"QOS", 3, ""}, {"Reboot", 3, ""}, {"ReqCores", 8, ""}, {"ReqCPUs", 8, "numcpus"}, {"ReqNodeList", 8, ""},
	{"ReqNodes", 8, "numnodes"}, {"ReqProcs", 8, "numcpus"}, {"ReqSockets", 8, ""}, {"ReqThreads", 8, ""}, {"Requeue", 4, ""},
	{"ReservationName", 3, ""}, {"ResetAccrueTime", 4, ""}, {"Shared", 2, "oversubscribe"}, {"SiteFactor", 1, ""}, {"StartTime", 2, ""}, {"StdOut", 6, ""}, {"Switches", 5, ""}, {"TasksPerNode", 2, ""}, {"ThreadSpec", 4, ""}, {"TimeLimit", 5, ""},
	{"TimeMin", 5, ""}, {"CpusPerTres", 8, ""}, {"TresPerJob", 8, ""}, {"TresPerNode", 8, ""}, {"TresPerSocket", 8, ""}, {"TresPerTask", 8, ""}, {"UserID", 4, ""}, {"wait-for-switch", 4, ""}, {"WCKey", 1, ""}, {"WorkDir", 2, ""},
}

// jobKey returns the name under which the controller knows a key, "" when it is
// none.
func jobKey(word string) string {
	word = strings.ToLower(word)
	found := ""
	for _, k := range jobKeys {
		name := strings.ToLower(k.name)
		if name != word && (found != "" || len(word) < k.letters || !strings.HasPrefix(name, word)) {
			continue
		}
		found = show.Or(k.as, name)
		if name == word {
			return found
		}
	}
	return found
}

// wordOf is a key as people write it.
func wordOf(key string) string {
	for _, k := range jobKeys {
		if strings.EqualFold(k.name, key) {
			return k.name
		}
	}
	return key
}

// updateJobs changes jobs by id, or by name.
func (c *call) updateJobs(ids, name string, changes []*rinkpb.KeyValue) int {
	req := &rinkpb.UpdateJobRequest{Name: name}
	if ids != "" {
		refs, err := slurm.ParseJobRefs(ids)
		if err != nil || len(refs) == 0 || slices.ContainsFunc(refs, func(r slurm.JobRef) bool { return r.IsStarred() || r.HasStep }) {
			c.refused(rinkpb.ActRequest_REQUEUE, ids, slurm.ErrnoInvalidJobID, true)
			return 1
		}
		req.Refs = show.Refs(refs)
	}
	for _, kv := range changes {
		if k := strings.ToLower(kv.Key); k == "jobid" || k == "job" { // the last one named is the one that is meant
			refs, err := slurm.ParseJobRefs(kv.Value)
			if err != nil || len(refs) == 0 {
				c.refused(rinkpb.ActRequest_REQUEUE, kv.Value, slurm.ErrnoInvalidJobID, true)
				return 1
			}
			req.Refs = show.Refs(refs)
			continue
		}
		key := jobKey(kv.Key)
		if kv.Op == "" && key != "resetaccruetime" && key != "nice" {
			fmt.Fprintf(c.env.Stderr, "Invalid input: %s\nRequest aborted\n", kv.Key)
			return 1
		}
		if key == "" || key == "resetaccruetime" && kv.Op != "" {
			return c.unsupported(kv)
		}
		name := kv.Key // as the user has it
		kv = &rinkpb.KeyValue{Key: key, Value: kv.Value, Op: kv.Op}
		err := c.checkJobChange(name, kv)
		var plain plainWords
		switch {
		case errors.As(err, &plain):
			fmt.Fprintln(c.env.Stderr, plain.words)
			if !plain.goOn {
				return 1
			}
			continue
		case errors.Is(err, errNothing):
			continue
		case errors.Is(err, errUncounted):
			c.env.Errorf("Invalid numeric value %q for requested node count.", kv.Value)
			return 0
		case err != nil:
			c.env.Errorf("%v", err)
			return 1
		case key == "userid": // it says whose jobs are meant, and is no change
			continue
		}
		req.Changes = append(req.Changes, kv)
	}
	if len(req.Changes) == 0 {
		fmt.Fprintln(c.env.Stderr, "No changes specified")
		return 1
	}
	err := c.checkLess(req)
	if err == nil {
		err = c.checkResize(ids, req)
	}
	if err != nil {
		c.env.Errorf("%v", err)
		return 1
	}
	ctx, cancel := c.env.Call(show.CallLimit())
	defer cancel()
	reply, err := c.client.Update(ctx, req)
	if err == nil {
		err = cli.StatusErr(reply.Status)
	}
	if err != nil {
		return c.failed("slurm_update error", cli.CallErr(err))
	}
	if len(reply.Outcomes) == 0 && name != "" {
		fmt.Fprintf(c.env.Stderr, "%s for job %s\n", slurm.ErrnoInvalidJobID, name)
		return 1
	}
	plain := c.ofTasks(reply.Outcomes)
	for _, out := range plain.failed {
		c.refused(rinkpb.ActRequest_REQUEUE, out.What, cli.StatusErr(out.Status), true)
	}
	if plain.said || len(plain.failed) > 0 {
		return 1
	}
	c.tellSize(req)
	return 0
}

func (c *call) unsupported(kv *rinkpb.KeyValue) int {
	fmt.Fprintf(c.env.Stderr, "Update of this parameter is not supported: %s%s%s\nRequest aborted\n", kv.Key, kv.Op, kv.Value)
	return 1
}

// plainWords are told without the command's name. With goOn the change is left
// out, and the others are made.
type plainWords struct {
	words string
	goOn  bool
}

func (p plainWords) Error() string { return p.words }

// errUncounted is a node count that is no number: it is complained of, and the
// update is none, but no failure either.
var errUncounted = errors.New("no node count")

// errNothing is a time that is not given: no change.
var errNothing = errors.New("no time")

// countRange is a count of nodes or CPUs, or a smaller and a larger one.
var countRange = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9]+[kKmM]?(-[0-9]+[kKmM]?)?$`) })

// leadingNumber is as much of a text as the C library reads as a number.
var leadingNumber = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[+-]?[0-9]+`) })

// checkLess refuses to take more from a time limit than there is of it. What a job
// has no limit, or is not there, is for the controller to refuse.
func (c *call) checkLess(req *rinkpb.UpdateJobRequest) error {
	for _, kv := range req.Changes {
		value, less := strings.CutPrefix(kv.Value, "-")
		if kv.Key != "timelimit" || !less && kv.Op != "-=" {
			continue
		}
		d, err := slurm.ParseDuration(value)
		if err != nil || len(req.Refs) == 0 {
			return nil
		}
		jobs, err := show.Jobs(c.env, c.client, &rinkpb.ListJobsRequest{Refs: req.Refs, Ended: true})
		if err != nil || len(jobs) == 0 {
			return nil
		}
		if now := jobs[0].TimeLimit; now != slurm.Unlimited && d.RoundUp() > now {
			return fmt.Errorf("TimeLimit decrement larger than current time limit (%d > %d)", d.Minutes(), now.Minutes())
		}
	}
	return nil
}

// checkJobChange refuses what cannot be meant before the controller is asked,
// and makes dates plain: they are read where the user is.
func (c *call) checkJobChange(name string, kv *rinkpb.KeyValue) error {
	switch kv.Key {
	case "timelimit", "comment", "admincomment", "systemcomment", "features":
	default:
		if kv.Op != "=" && kv.Op != "" {
			return fmt.Errorf("Option %s%s%s does not accept [+|-]= syntax", name, kv.Op, kv.Value)
		}
	}
	switch kv.Key {
	case "timelimit":
		value := strings.TrimLeft(kv.Value, "+-")
		if _, err := slurm.ParseDuration(value); err != nil {
			return fmt.Errorf("Invalid TimeLimit value")
		}
	case "timemin":
		if _, err := slurm.ParseDuration(kv.Value); err != nil {
			return fmt.Errorf("Invalid TimeMin value")
		}
	case "delayboot":
		if _, err := slurm.ParseDuration(kv.Value); err != nil {
			return fmt.Errorf("Invalid DelayBoot value")
		}
	case "corespec", "threadspec", "cpuspertask", "mincpusnode", "mintmpdisknode", "reqsockets", "reqcores", "reqthreads", "taskspernode":
		if _, err := strconv.ParseUint(kv.Value, 10, 31); err != nil && (kv.Key != "corespec" || kv.Value != "-1") {
			return fmt.Errorf("Invalid %s value: %s", wordOf(kv.Key), kv.Value)
		}
	case "contiguous", "oversubscribe":
		switch strings.ToLower(kv.Value) {
		case "yes", "no", "1", "0":
		default:
			return fmt.Errorf("Invalid %s value: %s", wordOf(kv.Key), kv.Value)
		}
	case "starttime", "endtime", "deadline":
		if kv.Value == "" {
			return errNothing
		}
		at, err := slurm.ParseTime(kv.Value, c.view.Now, false)
		if err != nil {
			return plainWords{err.Error(), true}
		}
		kv.Value = utc(at)
	case "mailtype":
		if _, err := slurm.ParseMailTypes(kv.Value); err != nil {
			return plainWords{"Invalid MailType: " + kv.Value, false}
		}
	case "requeue":
		if _, err := strconv.ParseUint(kv.Value, 10, 16); err != nil {
			return fmt.Errorf("Invalid Requeue value: %s", kv.Value)
		}
	case "minmemorynode", "minmemorycpu":
		if _, err := strconv.ParseUint(kv.Value, 10, 63); err != nil {
			return fmt.Errorf("Invalid %s value: %s", wordOf(kv.Key), kv.Value)
		}
	case "numnodes":
		if !countRange().MatchString(kv.Value) {
			return errUncounted
		}
	case "numcpus":
		if kv.Value == "0" {
			return fmt.Errorf("Invalid NumCPUs value: 0")
		}
		if !countRange().MatchString(kv.Value) {
			c.env.Errorf("Invalid numeric value %q for NumCPUs.", kv.Value)
			return fmt.Errorf("Invalid NumCPUs value: %s", kv.Value)
		}
	case "nice":
		if kv.Value == "" {
			break
		}
		number := cmp.Or(leadingNumber().FindString(kv.Value), "0")
		n, err := strconv.Atoi(number)
		if err != nil || n < -2147483645 || n > 2147483645 {
			return fmt.Errorf("Nice value out of range (+/- 2147483645). Value ignored")
		}
		kv.Value = number
	case "numtasks":
		if kv.Value == "" {
			kv.Value = "0" // which the controller refuses
		}
		n, err := strconv.ParseInt(kv.Value, 10, 32)
		if err != nil || n < 0 {
			return fmt.Errorf("Invalid NumTasks value: %s", kv.Value)
		}
	case "priority":
		if kv.Value == "" {
			kv.Value = "0"
		}
		if _, err := strconv.ParseUint(kv.Value, 10, 32); err != nil {
			return fmt.Errorf("Invalid Priority value: %s", kv.Value)
		}
	case "workdir":
		if kv.Value == "" {
			return fmt.Errorf("Invalid WorkDir value: it is empty")
		}
		path, err := filepath.Abs(kv.Value) // from where the user is, who knows no other place
		if err != nil {
			return err
		}
		kv.Value = path
	case "stdout", "stderr", "stdin":
		if kv.Value == "" {
			return fmt.Errorf("Invalid %s value: it is empty", kv.Key)
		}
	}
	return nil
}

// utc is a moment in the form that reads the same everywhere.
func utc(t time.Time) string { return "uts" + strconv.FormatInt(t.Unix(), 10) }

// updateNodes changes nodes.
func (c *call) updateNodes(nodes string, changes []*rinkpb.KeyValue) int {
	if nodes == "" && len(changes) > 0 {
		return c.failed("slurm_update error", slurm.ErrnoInvalidNodeName)
	}
	req := &rinkpb.ModifyNodeRequest{Nodes: nodes}
	state, reason := "", ""
	for _, kv := range changes {
		key := nodeKey(kv.Key)
		if kv.Op == "" {
			c.env.Errorf("Invalid input: %s  Request aborted", kv.Key)
			fmt.Fprintln(c.env.Stderr, "slurm_update error: No error")
			return 1
		}
		if key == "" || kv.Op != "=" {
			return c.unsupported(kv)
		}
		value := kv.Value
		switch key {
		case "weight":
			if value == "" {
				value = "0" // what C reads there
			}
			n, err := strconv.ParseInt(value, 10, 64)
			switch {
			case err != nil:
				c.env.Errorf("Weight value (%s) is not a valid number", value)
				continue
			case n > 4294967280:
				c.env.Errorf("Weight value (%s) is greater than 4294967280", value)
				continue
			case n < 0:
				c.env.Errorf("Weight value (%s) is less than zero", value)
				continue
			}
		case "cpubind":
			if _, err := slurm.ParseNodeBind(value); err != nil {
				c.env.Errorf("Invalid input %s=%s", kv.Key, value)
				fmt.Fprintln(c.env.Stderr, "slurm_update error: No error")
				return 1
			}
		case "state":
			if state = nodeState(value); state == "" {
				fmt.Fprintf(c.env.Stderr, "Invalid input: %s=%s\nRequest aborted\nValid states are: %s\nNot all states are valid given a node's prior state\n", kv.Key, value,
					"NoResp DRAIN FAIL FUTURE RESUME POWER_DOWN POWER_UP UNDRAIN")
				return 1
			}
			value = state
		case "reason":
			reason = value
		}
		req.Changes = append(req.Changes, &rinkpb.KeyValue{Key: key, Value: value, Op: kv.Op})
	}
	if (state == "down" || state == "drain" || state == "fail") && reason == "" {
		fmt.Fprintln(c.env.Stderr, "You must specify a reason when DOWNING or DRAINING a node. Request denied")
		return 1
	}
	if len(req.Changes) == 0 {
		fmt.Fprintln(c.env.Stderr, "No changes specified")
		return 1
	}
	ctx, cancel := c.env.Call(show.CallLimit())
	defer cancel()
	if _, err := c.client.ModifyNode(ctx, req); err != nil {
		return c.failed("slurm_update error", cli.CallErr(err))
	}
	return 0
}

// nodeKeys are what may be changed of a node, and how many letters of it are enough.
var nodeKeys = []struct {
	name    string
	letters int
	as      string
}{
	{"ActiveFeatures", 3, ""}, {"AvailableFeatures", 3, ""}, {"Comment", 3, ""}, {"Extra", 1, ""}, {"Features", 1, "availablefeatures"}, {"Gres", 1, ""},
	{"CPUBind", 2, ""}, {"NodeAddr", 5, ""}, {"NodeHostName", 5, ""}, {"Reason", 1, ""}, {"State", 1, ""}, {"Weight", 1, ""},
}

// nodeKey returns the name under which the controller knows a key of a node, ""
// when it is none.
func nodeKey(word string) string {
	for _, k := range nodeKeys {
		if len(word) >= k.letters && len(word) <= len(k.name) && strings.EqualFold(k.name[:len(word)], word) {
			return show.Or(k.as, strings.ToLower(k.name))
		}
	}
	return ""
}

// nodeState returns the state a word, perhaps cut short, asks for, "" when there
// is none.
func nodeState(word string) string {
	word = strings.ToLower(word)
	if word == "power_down" || word == "power_up" {
		return word
	}
	for _, s := range []struct {
		name    string
		letters int
	}{{"cancel_reboot", 8}, {"noresp", 3}, {"drain", 3}, {"fail", 3}, {"resume", 3}, {"undrain", 3}, {"down", 4}, {"idle", 4},
		{"future", 3}, {"power_down_asap", 12}, {"power_down_force", 12}, {"power_down", 7}, {"power_up", 7}, {"allocated", 5}, {"mixed", 3}, {"unknown", 3}} {
		if len(word) >= s.letters && strings.HasPrefix(s.name, word) {
			return s.name
		}
	}
	return ""
}
