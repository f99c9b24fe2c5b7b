package sacctmgr

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/sched"
)

// resourceWords are the words that say what a resource is to be.
var resourceWords = []struct {
	name string
	min  int
	key  string
}{
	{"Count", 2, sched.ResourceCount}, {"Description", 1, sched.ResourceDescription}, {"PercentAllowed", 1, sched.ResourcePercent},
	{"ServerType", 7, sched.ResourceServerType}, {"Type", 1, sched.ResourceType},
}

// takeResource takes a word of add and modify that says what a resource is to be. What is
// wrong with a value is said at once, as in Slurm, and the word is left out.
func (c *call) takeResource(r *request, word string) error {
	unknown := fmt.Errorf(" Unknown option: %s\n Use keyword 'where' to modify condition", word)
	key, _, value, ok := cut(word)
	if !ok {
		return unknown
	}
	if begins("Flags", key, 2) {
		return fmt.Errorf(" Unknown Server Resource flag used in:\n  '%s'\n Valid Server Resource flags are\n '(null)'", value)
	}
	for _, w := range resourceWords {
		if !begins(w.name, key, w.min) {
			continue
		}
		switch w.key {
		case sched.ResourceType:
			if !strings.EqualFold(value, "license") {
				return fmt.Errorf(" Unknown resource type: '%s'  Valid resources is License.", value)
			}
		case sched.ResourceCount, sched.ResourcePercent:
			if _, err := sched.ParseResourceCount(map[string]string{sched.ResourceCount: "count", sched.ResourcePercent: "PercentAllowed"}[w.key], value); err != nil {
				c.env.Errorf("%s", err)
				r.refused = true
				return nil
			}
		}
		r.set = append(r.set, sched.AccountWord{Key: w.key, Op: "=", Value: value})
		return nil
	}
	return unknown
}

// takesResourceWhere takes a word that says which resource; false when it is another's.
func (c *call) takesResourceWhere(r *request, word string) bool {
	key, _, value, ok := cut(word)
	switch {
	case !ok:
		r.names = append(r.names, parts(word)...)
	case begins("Names", key, 1):
		r.names = append(r.names, parts(value)...)
	case begins("Server", key, 1):
		r.where.Servers = append(r.where.Servers, value) // with commas, if it has any
	case begins("Clusters", key, 2):
		r.where.Clusters = append(r.where.Clusters, parts(value)...)
	default:
		return false
	}
	return true
}

// knowsClusters says so when the conditions name a cluster that is not this one.
func (c *call) knowsClusters(cl *cluster, r *request) bool {
	for _, n := range r.where.Clusters {
		if !strings.EqualFold(n, cl.name) {
			c.fail("This cluster '%s' doesn't exist.\n        Contact your admin to add it to accounting.", n)
			c.fail("Need a valid cluster name to add a cluster resource.")
			return false
		}
	}
	return true
}

// resourceTrouble says what stands in the way of a change of resources.
func (c *call) resourceTrouble(cl *cluster, err error, p *rinkpb.AccountTrouble) {
	var t *sched.AccountTrouble
	if !errors.As(err, &t) {
		c.trouble(cl, err, p, "resource")
		return
	}
	first, second, _ := strings.Cut(t.Name, "\x00")
	switch t.Kind {
	case sched.TroubleResourceNeeds:
		c.fail("Need to designate a resource %s to initially add '%s'.", first, second)
	case sched.TroubleResourcePercent:
		c.fail("Adding this 1 clusters to resource %s at %s%% each , with 0%% already used,  would go over 100%%.  Please redo your math and resubmit.", first, second)
	case sched.TroubleResourceOver:
		c.env.Errorf("You can not allocate more than 100%% of a resource")
		c.print(" If change was accepted it would look like this...\n")
		for _, name := range strings.Split(first, ",") {
			c.print("  %s\n   Cluster - %s\t %s%%\n   total\t\t%s%%\n", name, cl.name, second, second)
		}
		c.code = 1
	default:
		c.trouble(cl, err, p, "resource")
	}
}

func (c *call) addResource(words []string) {
	cl := c.fetch(false)
	if cl == nil {
		return
	}
	r := newRequest("resource")
	for _, w := range words {
		if !c.takesResourceWhere(r, w) {
			r.say(c.takeResource(r, w))
		}
	}
	if c.complain(r) {
		return
	}
	if len(r.names) == 0 {
		c.fail("Need name of resource to add.")
		return
	}
	if !c.knowsClusters(cl, r) {
		return
	}
	ask := sched.AccountAsk{Verb: "add", Entity: "resource", Names: r.names, Where: r.where, Set: r.set}
	show := func(out sched.AccountsOutcome) bool { return c.printAddedResources(r, out) }
	c.change(ask, show, func(err error, p *rinkpb.AccountTrouble) {
		if c.denies(cl, err, "system resource", ask, show) {
			return
		}
		if _, _, wrong := cl.Ask(ask, cl.name, c.env.Now()); denied(err) && wrong != nil {
			err = wrong
		}
		c.resourceTrouble(cl, err, p)
	})
}

func (c *call) printAddedResources(r *request, out sched.AccountsOutcome) bool {
	if len(out.Resources) == 0 {
		c.fail("Nothing new added.")
		return false
	}
	c.print(" Adding Resource(s)\n")
	fresh := ""
	for _, row := range out.Resources {
		if row.Cluster != "" {
			c.print("   Cluster - %s\t%d%%\n", row.Cluster, row.Percent)
			continue
		}
		c.print("  %s\n", row.Resource)
		if row.New {
			fresh = row.Resource
		}
	}
	c.print(" Settings\n")
	setting := func(title, value string) {
		if value != "" {
			c.print("  %-14s = %s\n", title, value)
		}
	}
	name, server, _ := strings.Cut(fresh, "@")
	description := r.value(sched.ResourceDescription)
	if fresh == "" {
		server = strings.Join(r.where.Servers, ",")
	} else if description == "" {
		description = name
	}
	setting("Name", name)
	setting("Server", server)
	setting("Description", description)
	setting("ServerType", r.value(sched.ResourceServerType))
	setting("Count", r.value(sched.ResourceCount))
	if r.value(sched.ResourceType) != "" || fresh == "" {
		setting("Type", "License")
	}
	return true
}

// resourceRows prints what a change or a deletion is about; it reports whether that is
// anything.
func (c *call) resourceRows(title, none string, out sched.AccountsOutcome) bool {
	if len(out.Resources) == 0 {
		c.print(" %s\n", none)
		return false
	}
	c.print(" %s\n", title)
	for _, row := range out.Resources {
		if row.Cluster != "" {
			c.print("  Cluster - %s\t- %s\n", row.Cluster, row.Resource)
		} else {
			c.print("  %s\n", row.Resource)
		}
	}
	return true
}

func (c *call) modifyResource(words []string) {
	cl := c.fetch(false)
	if cl == nil {
		return
	}
	r := newRequest("resource")
	setting := false
	for _, w := range words {
		switch {
		case strings.EqualFold(w, "where"):
			setting = false
		case strings.EqualFold(w, "set"):
			setting = true
		case setting:
			r.say(c.takeResource(r, w))
		case !c.takesResourceWhere(r, w):
			r.say(r.takeWhere(w))
		}
	}
	if c.complain(r) || !c.knowsClusters(cl, r) {
		return
	}
	r.set = slices.DeleteFunc(r.set, func(w sched.AccountWord) bool { return w.Key == sched.ResourceType }) // all are licences
	if len(r.set) == 0 {
		c.fail("You didn't give me anything to set")
		return
	}
	_, ofCluster := r.find(sched.ResourcePercent)
	switch {
	case ofCluster && len(r.where.Clusters) == 0:
		c.bare("Can't change \"percentallowed\" without specifying a cluster.")
		return
	case len(r.where.Clusters) > 0:
		for _, w := range r.set {
			if w.Key != sched.ResourcePercent {
				c.bare("Can't change \"%s\" on a cluster-based resource. Remove cluster selection.", strings.ToLower(w.Key))
				return
			}
		}
	}
	ask := sched.AccountAsk{Verb: "modify", Entity: "resource", Names: r.names, Where: r.where, Set: r.set}
	c.change(ask, func(out sched.AccountsOutcome) bool {
		return c.resourceRows("Modified server resource ...", "Nothing modified", out)
	}, func(err error, p *rinkpb.AccountTrouble) { c.resourceTrouble(cl, err, p) })
}

// find returns what is set by a word.
func (r *request) find(key string) (sched.AccountWord, bool) {
	i := slices.IndexFunc(r.set, func(w sched.AccountWord) bool { return w.Key == key })
	if i < 0 {
		return sched.AccountWord{}, false
	}
	return r.set[i], true
}

func (c *call) removeResource(words []string) {
	cl := c.fetch(false)
	if cl == nil {
		return
	}
	r := newRequest("resource")
	for _, w := range words {
		switch {
		case strings.EqualFold(w, "where"):
		case strings.EqualFold(w, "set"):
			r.say(fmt.Errorf(" Unknown condition: %s", w))
		case !c.takesResourceWhere(r, w):
			r.say(r.takeWhere(w))
		}
	}
	if c.complain(r) {
		return
	}
	if !c.knowsClusters(cl, r) {
		c.print(" Nothing deleted\n")
		return
	}
	ask := sched.AccountAsk{Verb: "delete", Entity: "resource", Names: r.names, Where: r.where}
	c.change(ask, func(out sched.AccountsOutcome) bool {
		return c.resourceRows("Deleting resource(s)...", "Nothing deleted", out)
	}, func(err error, p *rinkpb.AccountTrouble) { c.resourceTrouble(cl, err, p) })
}

// showResources lists what licences outside the cluster are shared; the ones of
// the configuration are scontrol's to show.
func (c *call) showResources(r *request) {
	names := r.format
	if len(names) == 0 {
		names = []string{"Name", "Server", "Type", "Count", "Allocated", "ServerType"}
		if r.flags["withclusters"] {
			names = append(names, "Cluster", "Allowed")
		}
	}
	out, unknown := resourceFields(names)
	if unknown != "" {
		c.bare("Unknown field '%s'", unknown)
		return
	}
	cl := c.fetch(false)
	if cl == nil || !c.knowsClusters(cl, r) {
		return
	}
	var rows []*row
	for _, res := range cl.ResourceList() {
		if !r.where.MatchesResource(r.names, res) || r.flags["withclusters"] && !res.Allowed {
			continue
		}
		text := map[string]string{
			"name": res.Name, "server": res.Server, "type": "License", "count": strconv.FormatInt(res.Count, 10), "allocated": strconv.Itoa(res.Percent),
			"servertype": res.ServerType, "description": res.Description, "id": strconv.FormatUint(uint64(res.ID), 10), "allowed": "0",
		}
		if res.Allowed && r.flags["withclusters"] {
			text["cluster"], text["allowed"] = cl.name, strconv.Itoa(res.Percent)
		}
		rows = append(rows, &row{cl: cl, text: text})
	}
	c.table(out, rows)
}

// resourceFields makes the fields of a listing of resources, whose columns are called
// otherwise than those of the same name elsewhere.
func resourceFields(names []string) (out []field, unknown string) {
	for _, word := range names {
		name, width, has := strings.Cut(word, "%")
		var col *column // the first that the word begins
		for _, c := range []column{
			{name: "Allowed", min: 1, header: "% Allowed", width: 10, value: text("allowed")}, {name: "Allocated", min: 5, header: "% Allocated", width: 11, value: text("allocated")},
			{name: "Clusters", min: 2, header: "Cluster", width: 10, value: text("cluster")}, {name: "Count", min: 2, header: "Count", width: 6, value: text("count")},
			{name: "Description", min: 1, header: "Descr", width: 20, value: text("description")}, {name: "Flags", min: 1, header: "Flags", width: 20, value: text("flags")},
			{name: "ID", min: 2, header: "ID", width: 6, value: text("id")}, {name: "Name", min: 1, header: "Name", width: 10, value: text("name")},
			{name: "ServerType", min: 7, header: "ServerType", width: 10, value: text("servertype")}, {name: "Server", min: 1, header: "Server", width: 10, value: text("server")},
			{name: "Type", min: 1, header: "Type", width: 8, value: text("type")},
		} {
			if col == nil && begins(c.name, name, c.min) {
				col = &c
			}
		}
		if col == nil {
			return nil, strings.ToLower(name)
		}
		f := field{*col, col.width}
		if n, err := strconv.Atoi(width); has && err == nil && n != 0 {
			f.width = n
		}
		out = append(out, f)
	}
	return out, ""
}
