package scontrol

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/slurm"
)

// entity is something that can be shown.
type entity struct {
	name    string
	letters int // so many of its letters are enough
	remote  bool
	what    string // begins the message when the controller cannot be reached
	run     func(c *call, arg string) int
}

func entities() []entity {
	none := func(text string) func(*call, string) int {
		return func(c *call, _ string) int { return c.say(0, "%s", text) }
	}
	quiet := func(*call, string) int { return 0 }
	list := []entity{
		{"assoc_mgr", 2, true, "slurm_load_assoc_mgr_info error", (*call).showAssocMgr},
		{"cache", 2, true, "slurm_load_assoc_mgr_info error", (*call).showAssocMgr},
		{"aliases", 1, true, "slurm_load_node error", (*call).showAliases},
		{"config", 2, true, "slurm_load_ctl_conf error", (*call).showConfig},
		{"daemons", 1, true, "slurm_load_ctl_conf error", (*call).showDaemons},
		{"federation", 1, false, "", quiet}, {"bbstat", 2, false, "", quiet}, {"burstbuffer", 1, false, "", quiet}, {"dwstat", 2, false, "", quiet}, // there are none
		{"frontend", 2, false, "", none("No nodes in the system")},
		{"hostlist", 5, false, "", func(c *call, arg string) int { return c.hostList(arg, false) }},
		{"hostlistsorted", 9, false, "", func(c *call, arg string) int { return c.hostList(arg, true) }},
		{"hostnames", 5, false, "", (*call).hostNames},
		{"jobs", 1, true, "slurm_load_jobs error", (*call).showJobs},
		{"licenses", 2, true, "slurm_load_licenses error", (*call).showLicenses},
		{"nodes", 1, true, "slurm_load_node error", (*call).showNodes},
		{"partitions", 1, true, "slurm_load_partitions error", (*call).showPartitions},
		{"reservations", 1, true, "slurm_load_reservations error", (*call).showReservations},
		{"slurmd", 6, true, "slurmd error", (*call).showSlurmd},
		{"steps", 2, true, "slurm_get_job_steps error", (*call).showSteps},
		{"topology", 1, true, "slurm_load_topo error", (*call).showTopology},
		{"version", 1, false, "", func(c *call, _ string) int { return c.print(cli.VersionLine() + "\n") }},
	}
	for _, name := range []string{"resources", "topoconf"} {
		list = append(list, entity{name, 3, false, "", func(c *call, _ string) int {
			c.env.Errorf("cannot show %s: this cluster's controllers have no such request", name)
			return 1
		}})
	}
	return list
}

// asData are the entities that --json and --yaml print.
var asData = []string{"config", "jobs", "licenses", "nodes", "partitions", "reservations", "steps"}

// show is "show ENTITY [ID]".
func (c *call) show(args []string) int {
	word := strings.ToLower(args[0])
	arg := ""
	if len(args) > 1 {
		arg = args[1]
	}
	// The entity may be written with its id: show job=12.
	if k, _, ok := strings.Cut(word, "="); ok {
		word, arg = k, args[0][len(k)+1:]
	}
	switch word {
	case "jobi", "jobid":
		word = "jobs"
	case "partitionname":
		word = "partitions"
	case "reservationname":
		word = "reservations"
	}
	list := entities()
	i := slices.IndexFunc(list, func(e entity) bool { return e.name == word })
	if i < 0 {
		i = slices.IndexFunc(list, func(e entity) bool { return len(word) >= e.letters && strings.HasPrefix(e.name, word) })
	}
	if i < 0 {
		if !c.o.quiet {
			fmt.Fprintf(c.env.Stderr, "invalid entity:%s for keyword:show \n", args[0])
		}
		return 1
	}
	if c.more = nil; len(args) > 2 && (list[i].name == "assoc_mgr" || list[i].name == "cache") {
		c.more = args[2:]
	} else if len(args) > 2 {
		fmt.Fprintf(c.env.Stderr, "too many arguments for keyword:show\n")
		return 1
	}
	if names := strings.HasPrefix(list[i].name, "host"); names && len(args) == 2 && args[1] == "" { // given, and empty
		if list[i].name == "hostnames" {
			return 0
		}
		return c.print("\n")
	}
	if list[i].remote && c.o.encoding.On() && !slices.Contains(asData, list[i].name) {
		c.env.Errorf("show %s: it is printed as text only: leave out --json and --yaml", list[i].name)
		return 1
	}
	if list[i].remote {
		if err := c.dial(); err != nil {
			return c.failed(list[i].what, err)
		}
	}
	return list[i].run(c, arg)
}

// hostNames prints the names of a host list, one a line; without one, those of
// the job it is called in.
func (c *call) hostNames(list string) int {
	if list == "" {
		for _, name := range []string{"SLURM_JOB_NODELIST", "SLURM_NODELIST"} {
			if list = c.env.Getenv(name); list != "" {
				break
			}
		}
		if list == "" {
			c.env.Errorf("host list is empty")
			return 0 // as Slurm's
		}
	}
	hosts, err := slurm.ParseHostList(list)
	if err != nil {
		return c.badHostList(list)
	}
	var b strings.Builder
	for name := range hosts.All() {
		b.WriteString(name)
		b.WriteByte('\n')
	}
	return c.print(b.String())
}

// hostList prints names in ranges; an argument with a slash is a file of names.
func (c *call) hostList(list string, sorted bool) int {
	if list == "" {
		fmt.Fprintf(c.env.Stderr, "invalid encode argument\n")
		c.print(helpText)
		return 1
	}
	if strings.Contains(list, "/") {
		text, err := os.ReadFile(list)
		if err != nil {
			c.env.Errorf("cannot read host names: %v", err)
			return 1
		}
		list = string(text)
	}
	hosts, err := slurm.ParseHostList(list)
	if err != nil {
		return c.badHostList(list)
	}
	if sorted {
		hosts = hosts.Sorted()
	}
	return c.print(hosts.String() + "\n")
}

// badHostList says that a list of hosts is none. It is no failure, as in Slurm.
func (c *call) badHostList(list string) int {
	fmt.Fprintf(c.env.Stderr, "Invalid hostlist: %s\n", list)
	return 0
}

// showLicenses is "show license [NAME]".
func (c *call) showLicenses(name string) int {
	ctx, cancel := c.env.Call(show.CallLimit())
	defer cancel()
	reply, err := c.client.ListLicenses(ctx, &rinkpb.ListLicensesRequest{})
	if err != nil {
		return c.failed("slurm_load_licenses error", cli.CallErr(err))
	}
	list := slices.Clone(reply.Licenses)
	slices.SortFunc(list, func(a, b *rinkpb.LicenseInfo) int { return strings.Compare(a.Name, b.Name) })
	if name != "" {
		list = slices.DeleteFunc(list, func(l *rinkpb.LicenseInfo) bool { return l.Name != name })
	}
	if c.o.encoding.On() {
		data := make([]any, len(list))
		for i, l := range list {
			data[i] = show.Object{{Key: "LicenseName", Value: l.Name}, {Key: "Total", Value: l.Total}, {Key: "Used", Value: l.Used},
				{Key: "Free", Value: l.Total - l.Used}, {Key: "Remote", Value: l.Remote}, {Key: "Reserved", Value: l.Reserved},
				{Key: "LastConsumed", Value: l.Used}, {Key: "LastDeficit", Value: 0}, {Key: "LastUpdate", Value: 0}, {Key: "Nodes", Value: ""}}
		}
		return c.data("licenses", data)
	}
	if len(list) == 0 {
		if name != "" {
			return 0 // Slurm has nothing to say of a name it does not know
		}
		return c.say(0, "No licenses configured in Slurm.")
	}
	gap := "\n    "
	if c.o.oneLine {
		gap = " "
	}
	var b strings.Builder
	for _, l := range list {
		fmt.Fprintf(&b, "LicenseName=%s%sTotal=%d Used=%d Free=%d Reserved=%d Remote=%s\n", l.Name, gap, l.Total, l.Used, max(l.Total-l.Used, 0), l.Reserved, map[bool]string{false: "no", true: "yes"}[l.Remote])
	}
	return c.print(b.String())
}

// showAliases prints the names of this host's nodes.
func (c *call) showAliases(name string) int {
	host, err := os.Hostname()
	if err != nil {
		c.env.Errorf("cannot find out this host's name: %v", err)
		return 1
	}
	host, _, _ = strings.Cut(show.Or(name, host), ".")
	nodes, err := show.Nodes(c.env, c.client)
	if err != nil {
		return c.failed("slurm_load_node error", err)
	}
	var names []string
	for _, n := range nodes {
		if n.Hostname == host {
			names = append(names, string(n.Name))
		}
	}
	if len(names) == 0 && name != "" {
		return 0 // as in Slurm
	}
	return c.print(strings.Join(names, " ") + "\n")
}

// getaddrs prints the addresses of nodes.
func (c *call) getaddrs(args []string) int {
	hosts, err := slurm.ParseHostList(args[0])
	if err != nil {
		return c.failed("slurm_load_node error", slurm.ErrnoInvalidNodeName)
	}
	nodes, err := show.Nodes(c.env, c.client, hosts.Hosts()...)
	if err != nil {
		return c.failed("slurm_load_node error", err)
	}
	for _, n := range nodes {
		fmt.Fprintf(c.env.Stdout, "%s: %s:%d\n", n.Name, show.Or(n.Addr, string(n.Name)), n.Port)
	}
	if len(nodes) < hosts.Len() {
		return c.failed("slurm_load_node error", slurm.ErrnoInvalidNodeName)
	}
	return 0
}

// errnumstr prints the text of an error number.
func (c *call) errnumstr(args []string) int {
	var n int
	if _, err := fmt.Sscanf(args[0], "%d", &n); err != nil {
		if e, ok := slurm.ErrnoByName(args[0]); ok {
			return c.say(0, "%s", e.Error())
		}
		fmt.Fprintf(c.env.Stderr, "numeric arguments required for keyword:errnumstr\n")
		return 1
	}
	if text := syscall.Errno(n).Error(); n > 0 && n < 1000 && !strings.HasPrefix(text, "errno ") {
		return c.say(0, "%s", strings.ToUpper(text[:1])+text[1:])
	}
	if n > 0 && slurm.Errno(n).Name() == slurm.ErrnoError.Name() {
		return c.say(0, "Unknown error %d", n)
	}
	return c.say(0, "%s", slurm.Errno(n).Error())
}
