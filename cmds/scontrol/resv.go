package scontrol

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// resvKeys are what may be said of a reservation: the word, how many letters of it
// are enough, and what the controller calls it when that differs.
var resvKeys = []struct {
	name    string
	letters int
	as      string
}{
	{"Accounts", 1, ""}, {"Comment", 3, ""}, {"CoreCnt", 1, ""}, {"Duration", 1, ""}, {"EndTime", 1, ""}, {"Features", 2, ""}, {"Flags", 2, ""},
	{"Groups", 1, ""}, {"Licenses", 1, ""}, {"MaxStartDelay", 1, ""}, {"NodeCnt", 5, ""}, {"NodeCount", 5, "nodecnt"}, {"Nodes", 5, ""},
	{"PartitionName", 1, ""}, {"QOS", 1, ""}, {"ReservationName", 3, ""}, {"StartTime", 1, ""}, {"TRES", 1, ""}, {"Users", 1, ""},
}

// resvKey returns the name under which the controller knows a key, "" when it is
// none.
func resvKey(word string) string {
	word = strings.ToLower(word)
	for _, k := range resvKeys {
		if name := strings.ToLower(k.name); len(word) >= k.letters && strings.HasPrefix(name, word) {
			return show.Or(k.as, name)
		}
	}
	return ""
}

// resvWords is what the words of create or update say of a reservation.
type resvWords struct {
	req        *rinkpb.ModifyReservationRequest
	given      map[string]bool
	start, end time.Time
	length     time.Duration
	flags      slurm.ResvFlags
	all        bool // all nodes
}

// readReservation reads the words. verb ends the messages: "No reservation
// created." What goes wrong has been said when ok is false.
func (c *call) readReservation(words []string, verb string) (w *resvWords, ok bool) {
	w = &resvWords{req: &rinkpb.ModifyReservationRequest{}, given: map[string]bool{}}
	refuse := func(format string, args ...any) (*resvWords, bool) {
		c.env.Errorf("%s  No reservation %s.", fmt.Sprintf(format, args...), verb)
		return nil, false
	}
	seen := map[string]bool{}
	for i, word := range words {
		kv := pairs([]string{word})[0]
		key := resvKey(kv.Key)
		switch {
		case strings.EqualFold(word, "skip"):
			w.req.Skip = true
			continue
		case kv.Op == "" && i == 0 && key == "reservationname":
			continue // create reservation ...
		case kv.Op == "":
			return refuse("Misformatted parameter '%s', most options have a parameter after '='.", word)
		case key == "":
			return refuse("Unknown parameter %s.", word)
		}
		value := kv.Value
		if seen[key] && (key == "users" || key == "accounts" || key == "groups") {
			c.env.Errorf("Parameter %s specified more than once", word)
			return nil, false
		}
		seen[key] = true
		switch key {
		case "reservationname":
			w.req.Name = value
			continue
		case "starttime", "endtime":
			at, err := slurm.ParseTime(value, c.view.Now, false)
			if err != nil {
				fmt.Fprintln(c.env.Stderr, err)
				return refuse("Invalid %s time %s.", strings.TrimSuffix(key, "time"), word)
			}
			if key == "starttime" {
				w.start = at
			} else {
				w.end = at
			}
			value = utc(at)
		case "duration":
			d, err := slurm.ParseDuration(value)
			if err != nil || d < 0 || strings.HasPrefix(value, "-") && value != "-1" {
				return refuse("Invalid duration %s.", word)
			}
			w.length = time.Duration(d) * time.Second
		case "maxstartdelay":
			if _, err := slurm.ParseDuration(value); err != nil {
				return refuse("Invalid duration %s.", word)
			}
		case "flags":
			if value == "" {
				continue
			}
			change, err := slurm.ParseResvFlags(value)
			if err != nil || kv.Op != "=" && change.Set&slurm.ResvTimeFloat != 0 || kv.Op == "-=" && change.Set&slurm.ResvReplace != 0 {
				return refuse("Error parsing flags %s%s.", strings.TrimSuffix(kv.Op, "="), value)
			}
			w.flags |= change.Set
		case "nodes":
			w.all = strings.EqualFold(value, "ALL")
			if kv.Op != "=" {
				return refuse("The +=/-= notation is not supported when updating nodes.")
			}
		case "nodecnt":
			if n, err := strconv.Atoi(strings.TrimPrefix(strings.TrimRight(strings.Split(value, ",")[0], "kK"), "+")); err != nil || n < 0 {
				c.env.Errorf("Invalid node count %s", value)
				return nil, false
			}
			if value == "0" {
				continue // as if nothing had been said
			}
		case "tres":
			t, err := slurm.ParseTRES(value)
			if err != nil {
				c.env.Errorf("invalid TRES '%s'", value)
				return nil, false
			}
			for _, item := range t {
				if !slices.Contains([]string{"cpu", "mem", "node", "license", "gres", "energy", "billing", "bb", "fs", "vmem", "pages"}, item.Type) {
					c.env.Errorf("couldn't identify configured TRES '%s'", item.Key())
					return nil, false
				}
				if item.Type != "cpu" && item.Type != "node" && item.Type != "license" {
					c.env.Errorf("TRES type '%s' not supported with reservations", item.Key())
					return nil, false
				}
			}
		case "corecnt":
			if n, err := strconv.Atoi(strings.Split(value, ",")[0]); err != nil || n < 0 {
				c.env.Errorf("Invalid core count %s", value)
				return nil, false
			}
		}
		w.given[key] = value != "" && value != "0"
		w.req.Changes = append(w.req.Changes, &rinkpb.KeyValue{Key: key, Value: value, Op: kv.Op})
	}
	return w, true
}

// createReservation is "create reservation KEY=VALUE...".
func (c *call) createReservation(words []string) int {
	w, ok := c.readReservation(words, "created")
	if !ok {
		return 1
	}
	missing := ""
	switch g := w.given; {
	case !g["starttime"]:
		missing = "A start time must be given."
	case !g["duration"] && !g["endtime"]:
		missing = "An end time or duration must be given."
	case g["endtime"] && g["duration"] && w.length != 0 && !w.start.Add(w.length).Equal(w.end):
		missing = "StartTime + Duration does not equal EndTime."
	case g["endtime"] && w.start.After(w.end):
		missing = "Start time cannot be after end time."
	case w.flags.Has(slurm.ResvPartNodes) && !(g["partitionname"] && w.all):
		missing = "PART_NODES flag requires specifying a Partition and ALL nodes."
	case !g["nodes"] && !g["nodecnt"] && !g["partitionname"] && !g["corecnt"] && !g["tres"] && !g["licenses"]:
		missing = "CoreCnt, Nodes, NodeCnt, BurstBuffer, Licenses or Watts must be specified."
	case g["users"] && g["groups"]:
		missing = "Users and Groups are mutually exclusive.  You can have one or the other, but not both."
	case !g["users"] && !g["groups"] && !g["accounts"] && !g["qos"]:
		missing = "Either Users/Groups and/or Accounts must be specified."
	}
	if missing != "" {
		c.env.Errorf("%s  No reservation created.", missing)
		return 1
	}
	w.req.Create = true
	name, err := c.modifyReservation(w.req)
	if err != nil {
		c.failed("Error creating the reservation", err)
		if why := cli.Reason(err); why == slurm.ErrnoNodesBusy.Error() || why == slurm.ErrnoRequestedNodeConfigUnavailable.Error() {
			fmt.Fprintln(c.env.Stderr, "Note, unless nodes are directly requested a reservation must exist in a single partition.")
			fmt.Fprintln(c.env.Stderr, "If no partition is requested the default partition is assumed.")
		}
		return 1
	}
	return c.say(0, "Reservation created: %s", name)
}

// updateReservation is "update ReservationName=NAME KEY=VALUE...".
func (c *call) updateReservation(words []string) int {
	w, ok := c.readReservation(words, "update")
	if !ok {
		fmt.Fprintln(c.env.Stderr, "slurm_update error: No error")
		return 1
	}
	if w.req.Name == "" && len(words) > 0 && !strings.Contains(words[0], "=") {
		c.env.Errorf("Reservation must be given.  No reservation update.")
		return 1
	}
	if _, err := c.modifyReservation(w.req); err != nil {
		c.failed("Error updating the reservation", err)
		return c.failed("slurm_update error", err)
	}
	return c.say(0, "Reservation updated.")
}

// deleteReservation is "delete ReservationName=NAME"; typed is the first of the
// words as they stood.
func (c *call) deleteReservation(word, typed string) int {
	_, name, _ := strings.Cut(word, "=")
	if _, err := c.modifyReservation(&rinkpb.ModifyReservationRequest{Name: name, Delete: true}); err != nil {
		return c.failed("delete_reservation "+typed, err)
	}
	return 0
}

func (c *call) modifyReservation(req *rinkpb.ModifyReservationRequest) (string, error) {
	ctx, cancel := c.env.Call(show.CallLimit())
	defer cancel()
	reply, err := c.client.ModifyReservation(ctx, req)
	if err != nil {
		return "", cli.CallErr(err)
	}
	return reply.Name, cli.StatusErr(reply.Status)
}

// ofReservation reports whether the words of update are of a reservation: they name
// one, and no job.
func ofReservation(words []string) bool {
	list := pairs(words)
	_, _, job := target(list, "jobid", "job")
	_, _, resv := target(list, "reservationname", "reservation")
	return !job && (resv || isReservation(words[0]))
}

// isReservation reports whether a word names reservations as what is meant.
func isReservation(word string) bool {
	key, _, _ := strings.Cut(word, "=")
	key = strings.TrimRight(strings.ToLower(key), "+-")
	return len(key) >= 3 && strings.HasPrefix("reservationname", key)
}

// showReservations is "show reservation [NAME]".
func (c *call) showReservations(name string) int {
	const what = "slurm_load_reservations error"
	list, err := show.Reservations(c.env, c.client)
	if err != nil {
		return c.failed(what, err)
	}
	if name != "" {
		list = slices.DeleteFunc(list, func(r *sched.Reservation) bool { return r.Name != name })
	}
	if len(list) == 0 && !c.o.encoding.On() {
		if name != "" {
			return c.say(1, "Reservation %s not found", name)
		}
		return c.say(0, "No reservations in the system")
	}
	nodes, err := show.Nodes(c.env, c.client)
	if err != nil {
		return c.failed(what, err)
	}
	byName := make(map[sched.NodeName]*show.Node, len(nodes))
	for _, n := range nodes {
		byName[n.Name] = n
	}
	conf, err := c.config()
	if err != nil {
		return c.failed(what, err)
	}
	if conf == nil {
		conf = &slurm.Conf{}
	}
	var b strings.Builder
	var data []any
	for _, r := range list {
		cores := show.ReservedCores(r, byName)
		if c.o.encoding.On() {
			data = append(data, c.view.ReservationData(r, cores))
		} else {
			b.WriteString(c.reservationRecord(r, cores, tiesCores(conf)))
		}
	}
	if c.o.encoding.On() {
		if len(data) > 0 {
			name = ""
		}
		return c.dataOf("reservations", data, "Reservation", name)
	}
	return c.print(b.String())
}

// reservationRecord is the record of a reservation.
func (c *call) reservationRecord(res *sched.Reservation, cores int, tied bool) string {
	v := c.view
	r := newRecord(c.o.oneLine)
	r.put("ReservationName", res.Name, "StartTime", v.Time(res.Start, "Unknown"), "EndTime", v.Time(res.End, "Unknown"),
		"Duration", show.ReservationLength(res).String())
	r.line("Nodes", show.Or(show.CompressNodes(res.Nodes), show.Null), "NodeCnt", strconv.Itoa(len(res.Nodes)), "CoreCnt", strconv.Itoa(cores),
		"Features", show.Or(res.Features, show.Null), "PartitionName", show.Or(string(res.Partition), show.Null), "Flags", res.Flags.Shown(res.PurgeAfter))
	for _, n := range res.Cores {
		if !tied {
			break // their numbers mean nothing
		}
		r.text(r.end)
		if !c.o.oneLine {
			r.text("  ")
		}
		r.put("NodeName", string(n.Node), "CoreIDs", n.Cores.String())
	}
	r.line("TRES", show.Or(res.TRES.String(), show.Null))
	r.line("Users", show.List(res.Users, show.Null), "Groups", show.List(res.Groups, show.Null), "Accounts", show.List(res.Accounts, show.Null),
		"Licenses", show.Or(res.Licenses.String(), show.Null), "State", v.ReservationState(res), "BurstBuffer", show.Null, "Watts", "n/a")
	delay := show.Null
	if res.MaxStartDelay > 0 {
		delay = res.MaxStartDelay.String()
	}
	r.line("MaxStartDelay", delay)
	if len(res.QOS) > 0 {
		r.line("QOS", strings.Join(res.QOS, ","))
	}
	if res.Comment != "" {
		r.line("Comment", res.Comment)
	}
	return r.close()
}

// tiesCores reports whether jobs get cores, and not just numbers of CPUs.
func tiesCores(conf *slurm.Conf) bool {
	return slices.ContainsFunc(conf.SelectTypeParameters, func(p string) bool {
		p = strings.ToUpper(p)
		return strings.HasPrefix(p, "CR_CORE") || strings.HasPrefix(p, "CR_SOCKET")
	})
}
