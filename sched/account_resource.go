package sched

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/runink/rink/slurm"
)

// Resource is licences that a server outside has for several clusters ("sacctmgr add
// resource"). What this cluster may use of them its jobs ask for as name@server.
type Resource struct {
	ID                                    uint32
	Name, Server, Description, ServerType string
	Count                                 int64
	// Allowed says that this cluster may use some, and Percent how many of Count.
	Allowed bool
	Percent int
}

// FullName is name@server.
func (r *Resource) FullName() string { return r.Name + "@" + r.Server }

// ResourceRow names a resource in a listing, or, with a cluster, what that cluster
// may use of it.
type ResourceRow struct {
	Resource, Cluster string
	Percent           int
	New               bool // the resource was not there before
}

// defaultServer is the server of a resource that is added without one.
const defaultServer = "slurmdb"

// ResourceList returns the resources in the order of their ids.
func (a *Accounts) ResourceList() []*Resource {
	list := slices.Collect(maps.Values(a.Resources))
	slices.SortFunc(list, func(x, y *Resource) int { return cmp.Compare(x.ID, y.ID) })
	return list
}

// Licenses are those that the resources give this cluster, parts of one left out.
func (a *Accounts) Licenses() slurm.Licenses {
	var out slurm.Licenses
	for _, r := range a.ResourceList() {
		if r.Allowed {
			out.Items = append(out.Items, slurm.License{Name: r.Name, Server: r.Server, Count: r.Count * int64(r.Percent) / 100})
		}
	}
	return out
}

// MatchesResource reports whether a resource is meant.
func (w *AccountWhere) MatchesResource(names []string, r *Resource) bool {
	return hasFold(names, r.Name) && hasFold(w.Servers, r.Server) && hasFold(w.ServerTypes, r.ServerType) && hasFold(w.Descriptions, r.Description) &&
		(len(w.IDs) == 0 || slices.Contains(w.IDs, r.ID))
}

// Words of a resource: the Key of an AccountWord.
const (
	ResourceCount       = "Count"
	ResourceDescription = "Description"
	ResourceServerType  = "ServerType"
	ResourceType        = "Type"
	ResourcePercent     = "PercentAllowed"
	ResourceServer      = "Server"
)

// maxResource bounds a count of licences, as one in a job's request is bounded.
const maxResource = 1<<31 - 1

// ParseResourceCount reads Count= and PercentAllowed=.
func ParseResourceCount(key, text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > maxResource {
		return 0, &BadWord{Word: AccountWord{Key: key, Op: "=", Value: text}, Text: fmt.Sprintf("Invalid value for %s (%s)", key, text)}
	}
	return n, nil
}

// resourceWords reads what is set: the words by key, numbers as such.
func (p *accountPlan) resourceWords() (map[string]AccountWord, map[string]int64, error) {
	words, numbers := map[string]AccountWord{}, map[string]int64{}
	for _, w := range p.ask.Set {
		switch w.Key {
		case ResourceCount, ResourcePercent:
			n, err := ParseResourceCount(w.Key, w.Value)
			if err != nil {
				return nil, nil, err
			}
			numbers[w.Key] = n
		case ResourceType, ResourceDescription, ResourceServerType:
		default:
			return nil, nil, &AccountTrouble{Code: slurm.ErrnoError, Kind: TroubleUnknown, Name: w.Key + w.Op + w.Value}
		}
		words[w.Key] = w
	}
	return words, numbers, nil
}

// set makes of a resource what the words say.
func (r *Resource) set(words map[string]AccountWord, numbers map[string]int64) {
	if n, ok := numbers[ResourceCount]; ok {
		r.Count = n
	}
	if w, ok := words[ResourceDescription]; ok {
		r.Description = w.Value
	}
	if w, ok := words[ResourceServerType]; ok {
		r.ServerType = w.Value
	}
}

// resourceNote is what the list of transactions says was set.
func resourceNote(r *Resource, words map[string]AccountWord, all bool) string {
	var parts []string
	if _, ok := words[ResourceCount]; ok || all {
		parts = append(parts, fmt.Sprintf("count=%d", r.Count))
	}
	if _, ok := words[ResourceDescription]; ok || all {
		parts = append(parts, fmt.Sprintf("description='%s'", r.Description))
	}
	if _, ok := words[ResourceServerType]; ok {
		parts = append(parts, fmt.Sprintf("manager='%s'", r.ServerType))
	}
	if all {
		parts = append(parts, "type=1")
	}
	return strings.Join(parts, ", ")
}

// addResources adds resources, and what this cluster may use of new ones and of those
// that are there.
func (p *accountPlan) addResources() error {
	words, numbers, err := p.resourceWords()
	if err != nil {
		return err
	}
	server := defaultServer
	if len(p.ask.Where.Servers) > 0 {
		server = strings.ToLower(p.ask.Where.Servers[0])
	}
	if strings.ContainsAny(server, "@:*= \t\"'") {
		return &AccountTrouble{Code: slurm.ErrnoError, Kind: TroubleUnknown, Name: "server=" + server}
	}
	percent, given := numbers[ResourcePercent]
	for _, name := range lowered(p.ask.Names) {
		if strings.ContainsAny(name, "@:*=,|; \t\"'") {
			return &AccountTrouble{Code: slurm.ErrnoError, Kind: TroubleUnknown, Name: "name=" + name}
		}
		var r *Resource
		for _, old := range p.a.Resources {
			if old.Name == name && old.Server == server {
				c := *old
				r = &c
			}
		}
		fresh := r == nil
		if fresh {
			if _, ok := words[ResourceType]; !ok {
				return &AccountTrouble{Code: slurm.ErrnoError, Kind: TroubleResourceNeeds, Name: "type\x00" + name}
			}
			if _, ok := numbers[ResourceCount]; !ok {
				return &AccountTrouble{Code: slurm.ErrnoError, Kind: TroubleResourceNeeds, Name: "count\x00" + name}
			}
			r = &Resource{ID: p.nextResource, Name: name, Server: server, Description: name}
			r.set(words, numbers)
			p.nextResource++
			p.out.Resources = append(p.out.Resources, ResourceRow{Resource: r.FullName(), New: true})
			p.note("Add Resources", fmt.Sprint(r.ID), resourceNote(r, words, true))
		}
		if len(p.ask.Where.Clusters) > 0 && !r.Allowed {
			if !given || percent > 100 {
				return &AccountTrouble{Code: slurm.ErrnoError, Kind: TroubleResourcePercent, Name: fmt.Sprintf("%s\x00%d", r.FullName(), percent)}
			}
			r.Allowed, r.Percent = true, int(percent)
			if !fresh {
				p.out.Resources = append(p.out.Resources, ResourceRow{Resource: r.FullName()})
			}
			p.out.Resources = append(p.out.Resources, ResourceRow{Resource: r.FullName(), Cluster: p.cluster, Percent: r.Percent})
			p.note("Add Resources", fmt.Sprintf("%d@%s", r.ID, p.cluster), fmt.Sprintf("percent_allowed=%d", r.Percent))
		} else if !fresh {
			continue
		}
		p.resources[r.ID] = r
	}
	return nil
}

// meantResources are the resources that the conditions mean.
func (p *accountPlan) meantResources() []*Resource {
	var list []*Resource
	for _, r := range p.a.ResourceList() {
		if p.ask.Where.MatchesResource(p.ask.Names, r) {
			c := *r
			list = append(list, &c)
		}
	}
	return list
}

// modifyResources changes what resources are, or, of a cluster, what it may use.
func (p *accountPlan) modifyResources() error {
	words, numbers, err := p.resourceWords()
	if err != nil {
		return err
	}
	percent, ofCluster := numbers[ResourcePercent]
	if ofCluster && (len(p.ask.Where.Clusters) == 0 || len(words) > 1) || !ofCluster && len(p.ask.Where.Clusters) > 0 {
		return &AccountTrouble{Code: slurm.ErrnoError, Kind: TroubleUnknown, Name: ResourcePercent}
	}
	if ofCluster && percent > 100 {
		var over []string
		for _, r := range p.meantResources() {
			if r.Allowed {
				over = append(over, r.FullName())
			}
		}
		if len(over) > 0 {
			return &AccountTrouble{Code: slurm.ErrnoError, Kind: TroubleResourceOver, Name: fmt.Sprintf("%s\x00%d", strings.Join(over, ","), percent)}
		}
	}
	for _, r := range p.meantResources() {
		switch {
		case ofCluster && !r.Allowed:
			continue
		case ofCluster:
			r.Percent = int(percent)
			p.note("Modify Resources", fmt.Sprintf("(res_id='%d' && cluster='%s')", r.ID, p.cluster), fmt.Sprintf("percent_allowed=%d", percent))
		default:
			r.set(words, numbers)
			p.out.Resources = append(p.out.Resources, ResourceRow{Resource: r.FullName()})
			p.note("Modify Resources", fmt.Sprintf("id='%d'", r.ID), resourceNote(r, words, false))
		}
		if r.Allowed {
			p.out.Resources = append(p.out.Resources, ResourceRow{Resource: r.FullName(), Cluster: p.cluster})
		}
		p.resources[r.ID] = r
	}
	return nil
}

// deleteResources takes resources away, or, of a cluster, what it may use of them.
func (p *accountPlan) deleteResources() error {
	w := &p.ask.Where
	if len(p.ask.Names)+len(w.Servers)+len(w.ServerTypes)+len(w.Descriptions)+len(w.IDs)+len(w.Clusters) == 0 {
		return &AccountTrouble{Code: slurm.ErrnoError, Kind: TroubleNoConditions}
	}
	for _, r := range p.meantResources() {
		if len(w.Clusters) > 0 {
			if !r.Allowed {
				continue
			}
			p.out.Resources = append(p.out.Resources, ResourceRow{Resource: r.FullName(), Cluster: p.cluster})
			p.note("Remove Resources", fmt.Sprintf("(res_id='%d' && cluster='%s')", r.ID, p.cluster), "")
			r.Allowed, r.Percent = false, 0
			p.resources[r.ID] = r
			continue
		}
		p.out.Resources = append(p.out.Resources, ResourceRow{Resource: r.FullName()})
		if r.Allowed {
			p.out.Resources = append(p.out.Resources, ResourceRow{Resource: r.FullName(), Cluster: p.cluster})
		}
		p.note("Remove Resources", fmt.Sprintf("id='%d'", r.ID), "")
		p.resources[r.ID] = nil
	}
	return nil
}

// checkResources says what is wrong with the table of resources.
func (a *Accounts) checkResources() error {
	seen := map[string]bool{}
	for id, r := range a.Resources {
		if r == nil || id == 0 || r.ID != id || id >= a.NextResource || r.Name == "" || r.Server == "" || seen[r.FullName()] ||
			r.Count < 0 || r.Count > maxResource || r.Percent < 0 || r.Percent > 100 {
			return fmt.Errorf("cannot use the accounts: resource %d is not one", id)
		}
		seen[r.FullName()] = true
	}
	return nil
}

// WithResources returns the configuration with the licences that the resources of the
// accounts give beside its own; c itself when it has them.
func (c *Config) WithResources(a *Accounts) *Config {
	var own slurm.Licenses
	if c.Conf != nil {
		own = c.Conf.Licenses
	}
	all := PlusLicenses(PlusLicenses(slurm.Licenses{}, own), a.Licenses())
	// One that all are kept from is one there is none of, not one that is unknown.
	for _, item := range a.Licenses().Items {
		if item.Count == 0 && all.Get(item.FullName()) == 0 {
			all.Items = append(all.Items, item)
		}
	}
	if slices.Equal(all.Items, c.Licenses.Items) {
		return c
	}
	next := *c
	next.Licenses = all
	return &next
}
