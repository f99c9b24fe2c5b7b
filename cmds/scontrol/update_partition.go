package scontrol

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/slurm"
)

// create is "create PartitionName=NAME KEY=VALUE...".
func (c *call) create(args []string) int {
	if isReservation(args[0]) {
		return c.createReservation(args)
	}
	if len(args) > 1 && !strings.Contains(args[0], "=") && !strings.Contains(args[1], "=") {
		args = append([]string{args[0] + "=" + args[1]}, args[2:]...)
	}
	list := pairs(args)
	if value, rest, ok := target(list, "partitionname", "partition"); ok {
		return c.modifyPartition(&rinkpb.ModifyPartitionRequest{Name: value, Create: true}, rest)
	}
	if value, rest, ok := target(list[:1], "nodename"); ok {
		return c.createNode(value, append(rest, list[1:]...))
	}
	if word := strings.ToLower(list[0].Key); strings.HasPrefix("partitionname", word) && len(word) > 2 {
		c.env.Errorf("Invalid input: %s  Request aborted", args[0])
		return 1
	}
	c.env.Errorf("Invalid creation entity: %s", strings.Join(args, " "))
	return 1
}

// remove is "delete PartitionName=NAME".
func (c *call) remove(args []string) int {
	first := args[0]
	if len(args) == 2 && !strings.Contains(args[0], "=") {
		args = []string{args[0] + "=" + args[1]}
	}
	if !strings.Contains(args[0], "=") {
		c.env.Errorf("Proper format is 'delete <ENTITY>=<ID>' or 'delete <ENTITY> <ID>'")
		return 1
	}
	if value, rest, ok := target(pairs(args), "partitionname", "partition"); ok && len(rest) == 0 {
		return c.modifyPartition(&rinkpb.ModifyPartitionRequest{Name: value, Delete: true}, nil)
	}
	if isReservation(args[0]) && len(args) == 1 {
		return c.deleteReservation(args[0], first)
	}
	if value, rest, ok := target(pairs(args), "nodename", "node"); ok && len(rest) == 0 {
		return c.deleteNode(value, first)
	}
	fmt.Fprintf(c.env.Stderr, "Invalid deletion entity: %s\n", args[0])
	return 1
}

// partitionKeys are what may be changed of a partition, with how many letters of
// it are enough and what the controller calls it when that differs.
var partitionKeys = []struct {
	name    string
	letters int
	as      string
}{
	{"AllocNodes", 3, ""}, {"AllowAccounts", 6, ""}, {"AllowGroups", 6, ""}, {"AllowQOS", 6, ""}, {"Alternate", 3, ""},
	{"CpuBind", 7, ""}, {"Default", 7, ""}, {"DefaultTime", 8, ""}, {"DefMemPerCPU", 10, ""}, {"DefMemPerNode", 10, ""}, {"DenyAccounts", 5, ""}, {"DenyQOS", 5, ""},
	{"DisableRootJobs", 1, ""}, {"ExclusiveTopo", 10, ""}, {"ExclusiveUser", 1, ""}, {"GraceTime", 5, ""}, {"Hidden", 1, ""}, {"JobDefaults", 3, ""},
	{"LLN", 1, ""}, {"MaxCPUsPerNode", 11, ""}, {"MaxCPUsPerSocket", 11, ""}, {"MaxMemPerCPU", 10, ""}, {"MaxMemPerNode", 10, ""}, {"MaxNodes", 4, ""},
	{"MaxTime", 4, ""}, {"MinNodes", 2, ""}, {"Nodes", 1, ""}, {"OverSubscribe", 5, ""}, {"OverTimeLimit", 5, ""}, {"PreemptMode", 3, ""},
	{"Priority", 8, ""}, {"PriorityJobFactor", 9, ""}, {"PriorityTier", 9, ""}, {"QOS", 3, ""}, {"Quota", 5, ""}, {"ReqResv", 3, ""}, {"RootOnly", 3, ""},
	{"Shared", 2, "oversubscribe"}, {"State", 2, ""}, {"TRESBillingWeights", 1, ""},
}

// partitionKey returns the entry of a key, "" names when there is none.
func partitionKey(word string) (name, as string) {
	for _, exact := range []bool{true, false} {
		for _, k := range partitionKeys {
			if strings.EqualFold(k.name, word) || !exact && len(word) >= k.letters && len(word) < len(k.name) && strings.EqualFold(k.name[:len(word)], word) {
				return k.name, show.Or(k.as, strings.ToLower(k.name))
			}
		}
	}
	return "", ""
}

// checkPartitionChange refuses what cannot be meant, in Slurm's lines; nil when
// the controller may be asked.
func checkPartitionChange(name string, kv *rinkpb.KeyValue) []string {
	word := kv.Key + "=" + kv.Value
	acceptable := func(values string) []string {
		return []string{"Invalid input: " + word, "Acceptable " + name + " values are " + values}
	}
	oneOf := func(values ...string) bool {
		return slices.ContainsFunc(values, func(v string) bool { return strings.EqualFold(v, kv.Value) })
	}
	switch name {
	case "State":
		if !oneOf("UP", "DOWN", "DRAIN", "INACTIVE") {
			return acceptable("UP, DOWN, DRAIN and INACTIVE")
		}
	case "Default", "DisableRootJobs", "ExclusiveUser", "Hidden", "LLN", "ReqResv", "RootOnly":
		if !oneOf("YES", "NO") {
			return acceptable("YES and NO")
		}
	case "OverSubscribe", "Shared":
		mode, _, _ := strings.Cut(strings.ToUpper(kv.Value), ":")
		if !slices.Contains([]string{"NO", "EXCLUSIVE", "YES", "FORCE"}, mode) {
			return acceptable("NO, EXCLUSIVE, YES:#, and FORCE:#")
		}
	case "MaxTime", "DefaultTime":
		if _, err := slurm.ParseDuration(kv.Value); err != nil {
			return []string{"Invalid input " + word}
		}
	case "MaxNodes", "MinNodes":
		if n, err := strconv.Atoi(strings.TrimRight(kv.Value, "kKmM")); !oneOf("UNLIMITED", "INFINITE") && (err != nil || n < -1) {
			return []string{fmt.Sprintf("Invalid numeric value \"%s\" for %s.", kv.Value, name)}
		}
	case "Priority", "PriorityTier", "PriorityJobFactor":
		if _, err := strconv.ParseUint(kv.Value, 10, 16); err != nil {
			return []string{"Invalid " + name + " value: " + kv.Value}
		}
	case "PreemptMode":
		for mode := range strings.SplitSeq(kv.Value, ",") {
			if !slices.Contains([]string{"OFF", "CANCEL", "REQUEUE", "SUSPEND", "GANG", "WITHIN", "PRIORITY"}, strings.ToUpper(mode)) {
				return []string{"Invalid input: " + word}
			}
		}
	}
	return nil
}

// refusePartition says why a change of a partition is not asked for.
func (c *call) refusePartition(req *rinkpb.ModifyPartitionRequest, lines ...string) int {
	for _, line := range lines {
		c.env.Errorf("%s", line)
	}
	if !req.Create {
		fmt.Fprintln(c.env.Stderr, "slurm_update error: No error")
	}
	return 1
}

// modifyPartition changes, creates or deletes a partition.
func (c *call) modifyPartition(req *rinkpb.ModifyPartitionRequest, changes []*rinkpb.KeyValue) int {
	what := "slurm_update error"
	switch {
	case req.Create:
		what = "Error creating the partition"
	case req.Delete:
		what = "delete_partition partitionname=" + req.Name
	}
	for _, kv := range changes {
		name, key := partitionKey(kv.Key)
		value := kv.Value
		switch {
		case name != "" && kv.Op == "=":
		case key == "nodes" && kv.Op != "" && !req.Create:
			var err error
			if value, err = c.changedNodes(req.Name, kv.Op, value); err != nil {
				return c.failed(what, err)
			}
		case kv.Op == "":
			return c.refusePartition(req, "Invalid input: "+kv.Key+"  Request aborted")
		default:
			return c.refusePartition(req, fmt.Sprintf("Update of this parameter is not supported: %s%s%s\n", kv.Key, kv.Op, kv.Value), "Request aborted")
		}
		if lines := checkPartitionChange(name, kv); lines != nil {
			if name == "MaxNodes" || name == "MinNodes" {
				c.env.Errorf("%s", lines[0])
				return 1
			}
			return c.refusePartition(req, lines...)
		}
		req.Changes = append(req.Changes, &rinkpb.KeyValue{Key: key, Value: value, Op: "="})
	}
	if len(req.Changes) == 0 && !req.Delete && !req.Create {
		c.env.Errorf("No changes specified")
		return 1
	}
	ctx, cancel := c.env.Call(show.CallLimit())
	defer cancel()
	if _, err := c.client.ModifyPartition(ctx, req); err != nil {
		return c.failed(what, cli.CallErr(err))
	}
	return 0
}

// changedNodes is what the nodes of a partition are with some more or fewer.
func (c *call) changedNodes(name, op, list string) (string, error) {
	hosts, err := slurm.ParseHostList(list)
	if err != nil {
		return "", slurm.ErrnoInvalidNodeName
	}
	parts, err := show.Partitions(c.env, c.client)
	if err != nil {
		return "", err
	}
	for _, p := range parts {
		if string(p.Name) != name {
			continue
		}
		var nodes []string
		for _, n := range p.Nodes {
			if op == "+=" || !hosts.Contains(string(n)) {
				nodes = append(nodes, string(n))
			}
		}
		if op == "+=" {
			for host := range hosts.All() {
				if !slices.Contains(nodes, host) {
					nodes = append(nodes, host)
				}
			}
		}
		return slurm.HostListOf(nodes...).Sorted().String(), nil
	}
	return "", slurm.ErrnoInvalidPartition
}
