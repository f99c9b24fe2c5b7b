package scontrol

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/auth/hostuser"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/slurm"
)

// mainFile returns the cluster's slurm.conf among the files the controller
// sent.
func mainFile(files []*rinkpb.ConfigFile) *rinkpb.ConfigFile {
	for _, suffix := range []string{"slurm.conf", "rink.conf", ""} {
		for _, f := range files {
			if strings.HasSuffix(f.Name, suffix) {
				return f
			}
		}
	}
	return nil
}

// config fetches the configuration in force, once.
func (c *call) config() (*slurm.Conf, error) {
	if c.reply != nil {
		return c.conf, nil
	}
	ctx, cancel := c.env.Call(show.CallLimit())
	defer cancel()
	reply, err := c.client.GetConfig(ctx, &rinkpb.GetConfigRequest{})
	if err != nil {
		return nil, cli.CallErr(err)
	}
	c.reply = reply
	if len(reply.Files) == 0 {
		return nil, nil
	}
	first := mainFile(reply.Files)
	read := func(path string) ([]byte, error) {
		for _, f := range reply.Files {
			if f.Name == path || filepath.Base(f.Name) == filepath.Base(path) {
				return f.Text, nil
			}
		}
		return nil, fmt.Errorf("cannot read %s: the controller did not send it", path)
	}
	// What the controller goes by it has judged itself; a file that this program
	// would judge differently is good enough to read.
	c.conf, _, _ = slurm.ParseConf(first.Name, read)
	return c.conf, nil
}

// preempts reports whether jobs may be preempted in this cluster.
func (c *call) preempts() bool {
	return c.conf != nil && c.conf.PreemptType != "" && c.conf.PreemptType != "preempt/none"
}

// exempt is how long a job cannot be preempted after its start.
func (c *call) exempt() time.Duration {
	if c.conf == nil || c.conf.PreemptExemptTime <= 0 || c.conf.PreemptExemptTime == slurm.Unlimited {
		return 0
	}
	return time.Duration(c.conf.PreemptExemptTime) * time.Second
}

// showConfig is "show config".
func (c *call) showConfig(string) int {
	conf, err := c.config()
	if err != nil {
		return c.failed("slurm_load_ctl_conf error", err)
	}
	if conf == nil {
		return c.failed("slurm_load_ctl_conf error", fmt.Errorf("cannot show the configuration: the controller sent none"))
	}
	lines := conf.Show(slurm.ConfFacts{
		BootTime: c.view.Time(api.TimeFromProto(c.reply.BootTime), "Unknown"), NextJobID: c.reply.NextJob,
		ConfPath: mainFile(c.reply.Files).Name, Version: cli.SurfaceVersion, UID: uidOf,
	})
	if c.o.encoding.On() {
		c.view.Encoding = c.o.encoding
		data, meta := c.configData(lines)
		if err := c.view.DataWith(c.env, show.Object{{Key: "slurm_conf", Value: data}, {Key: "slurm_conf_meta", Value: meta}}); err != nil {
			c.env.Errorf("%v", err)
			return 1
		}
		return 0
	}
	var b strings.Builder
	if c.o.oneLine {
		for i, l := range lines {
			if i > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(l.Key + "=" + l.Value)
		}
		b.WriteByte('\n')
		return c.print(b.String())
	}
	fmt.Fprintf(&b, "Configuration data as of %s\n", c.view.Time(c.view.Now, ""))
	for _, l := range lines {
		b.WriteString(l.String() + "\n")
	}
	b.WriteByte('\n')
	list := c.reply.Controllers
	ctx, cancel := c.env.Call(10 * time.Second)
	defer cancel()
	if reply, err := c.client.GetConfig(ctx, &rinkpb.GetConfigRequest{Ping: true}); err == nil {
		list = reply.Controllers
	}
	b.WriteString(pingText(list))
	return c.print(b.String())
}

func uidOf(name string) (uint32, bool) {
	u, err := hostuser.Lookup(name)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseUint(u.Uid, 10, 32)
	return uint32(n), err == nil
}

// pingText says which controllers are up.
func pingText(list []*rinkpb.ControllerInfo) string {
	var b strings.Builder
	for i, info := range list {
		state := "DOWN"
		if info.Up {
			state = "UP"
		}
		fmt.Fprintf(&b, "Slurmctld(%s) at %s is %s\n", controllerRole(i, len(list)), info.Name, state)
	}
	return b.String()
}

// controllerRole is what the controller at that place of the list is called.
func controllerRole(i, n int) string {
	switch {
	case i == 0:
		return "primary"
	case n == 2:
		return "backup"
	}
	return "backup" + strconv.Itoa(i)
}

// ping says which controllers are up; the exit status is 1 when none is.
func (c *call) ping([]string) int {
	var list []*rinkpb.ControllerInfo
	var took time.Duration // until the answer was there
	err := c.dial()
	if errors.Is(err, errNotHere) {
		return 1
	}
	if err == nil {
		ctx, cancel := c.env.Call(10 * time.Second)
		defer cancel()
		began := time.Now()
		var reply *rinkpb.PingReply
		reply, err = c.client.Ping(ctx, &rinkpb.PingRequest{})
		if took = time.Since(began); err == nil {
			list = reply.Controllers
			if len(list) == 0 {
				list = []*rinkpb.ControllerInfo{{Name: reply.Host, Up: reply.Up}}
			}
		}
	}
	if err != nil {
		for _, name := range configuredHosts(c.env) {
			list = append(list, &rinkpb.ControllerInfo{Name: name})
		}
		if len(list) == 0 {
			return c.failed("slurm_ping error", cli.CallErr(err))
		}
	}
	if c.o.encoding.On() {
		c.data("pings", pingData(list, took))
	} else {
		c.print(pingText(list))
	}
	if slices.ContainsFunc(list, func(i *rinkpb.ControllerInfo) bool { return i.Up }) {
		return 0
	}
	return 1
}

// configuredHosts reads the names of the controllers from this host's
// configuration file.
func configuredHosts(env *cli.Env) []string {
	path, err := cli.ConfigPath(env)
	if err != nil {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	var names []string
	in := bufio.NewScanner(f)
	for in.Scan() {
		line, _, _ := strings.Cut(in.Text(), "#")
		key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if ok && strings.EqualFold(strings.TrimSpace(key), "SlurmctldHost") {
			name, _, _ := strings.Cut(strings.TrimSpace(value), "(")
			names = append(names, name)
		}
	}
	return names
}

// showDaemons says which daemons should run on this host.
func (c *call) showDaemons(string) int {
	conf, err := c.config()
	if err != nil {
		return c.failed("slurm_load_ctl_conf error", err)
	}
	host, err := os.Hostname()
	if err != nil || conf == nil {
		c.env.Errorf("cannot find out what this host is: %v", err)
		return 1
	}
	host, _, _ = strings.Cut(host, ".")
	var daemons []string
	for _, h := range conf.SlurmctldHost {
		if h.Name == host {
			daemons = append(daemons, "slurmctld")
			break
		}
	}
	nodes, err := show.Nodes(c.env, c.client)
	if err != nil {
		return c.failed("slurm_load_node error", err)
	}
	if slices.ContainsFunc(nodes, func(n *show.Node) bool { return n.Hostname == host || string(n.Name) == host }) {
		daemons = append(daemons, "slurmd")
	}
	return c.print(strings.Join(daemons, " ") + "\n")
}

// reconfigure has the controllers read their files again.
func (c *call) reconfigure([]string) int {
	ctx, cancel := c.env.Call(show.CallLimit())
	defer cancel()
	if _, err := c.client.Reconfigure(ctx, &rinkpb.ReconfigureRequest{}); err != nil {
		return c.failed("slurm_reconfigure error", cli.CallErr(err))
	}
	return 0
}

// write is "write batch_script ID [FILE]" and "write config [FILE]".
func (c *call) write(args []string) int {
	what := strings.ToLower(args[0])
	switch {
	case len(what) >= 5 && strings.HasPrefix("batch_script", what):
		if len(args) < 2 {
			return 0 // nothing is said, as in Slurm
		}
		if len(args) > 3 {
			fmt.Fprintf(c.env.Stderr, "too many arguments for keyword:write %s\n", args[0])
			return 1
		}
		return c.writeScript(args[1], args[2:])
	case len(what) >= 3 && strings.HasPrefix("config", what):
		if len(args) > 2 {
			fmt.Fprintf(c.env.Stderr, "too many arguments for keyword:write %s\n", args[0])
			return 1
		}
		return c.writeConfig(args[1:])
	}
	fmt.Fprintf(c.env.Stderr, "invalid write argument:%s\n", args[0])
	return 1
}

// writeScript saves a job's script. As in Slurm, a script that cannot be had is
// said and is no failure.
func (c *call) writeScript(id string, file []string) int {
	ref, err := slurm.ParseJobRef(id)
	if err != nil {
		return c.say(0, "job script retrieval failed: %s", slurm.ErrnoInvalidJobID)
	}
	script, err := c.script(ref)
	if err != nil {
		fmt.Fprintf(c.env.Stdout, "job script retrieval failed: %s\n", cli.Reason(err))
		return 0
	}
	name := "slurm-" + id + ".sh"
	if len(file) > 0 {
		name = file[0]
	}
	if name == "-" {
		text := string(script)
		if !strings.HasSuffix(text, "\n") {
			text += "\n"
		}
		return c.print(text)
	}
	if err := os.WriteFile(name, script, 0o700); err != nil {
		fmt.Fprintf(c.env.Stderr, "failed to open file `%s`: %s\n", name, cause(err))
		return 0
	}
	return c.say(0, "batch script for job %s written to %s", id, name)
}

// cause is an error's own words, as the C library has them.
func cause(err error) string {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return err.Error()
	}
	text := errno.Error()
	return strings.ToUpper(text[:1]) + text[1:]
}

// script fetches the script of the job that a reference names. The record of an
// array may be gone, with tasks of it left.
func (c *call) script(ref slurm.JobRef) ([]byte, error) {
	script, err := c.getScript(ref.Job)
	if err == nil || !cli.Is(err, slurm.ErrnoInvalidJobID) {
		return script, err
	}
	jobs, listErr := show.Jobs(c.env, c.client, &rinkpb.ListJobsRequest{Refs: show.Refs([]slurm.JobRef{ref}), Ended: true})
	if listErr != nil || len(jobs) == 0 {
		return nil, err
	}
	return c.getScript(jobs[0].ID)
}

func (c *call) getScript(id slurm.JobID) ([]byte, error) {
	ctx, cancel := c.env.Call(show.CallLimit())
	defer cancel()
	reply, err := c.client.GetScript(ctx, &rinkpb.GetScriptRequest{Job: uint32(id)})
	if err != nil {
		return nil, cli.CallErr(err)
	}
	return reply.Script, cli.StatusErr(reply.Status)
}

// writeConfig saves the configuration file in force.
func (c *call) writeConfig(file []string) int {
	if _, err := c.config(); err != nil {
		return c.failed("slurm_load_ctl_conf error", err)
	}
	first := mainFile(c.reply.Files)
	if first == nil {
		return c.failed("slurm_load_ctl_conf error", fmt.Errorf("cannot write the configuration: the controller sent none"))
	}
	name, _ := cli.ConfigPath(c.env)
	if len(file) > 0 {
		name = file[0]
	}
	if name == "-" {
		return c.print(string(first.Text))
	}
	name += "." + c.view.Now.Format("2006-01-02T15:04:05")
	if err := os.WriteFile(name, first.Text, 0o644); err != nil {
		fmt.Fprintf(c.env.Stderr, "Could not create file %s: %s\n", name, cause(err))
		return 0
	}
	return c.say(0, "Slurm config saved to %s", name)
}

// pingData is what is said of the controllers as data; one that is up is taken to have
// answered in the time the whole answer took, in microseconds.
func pingData(list []*rinkpb.ControllerInfo, took time.Duration) []any {
	out := []any{}
	for i, one := range list {
		pinged, mode, latency := "DOWN", "primary", int64(0)
		if one.Up {
			pinged, latency = "UP", took.Microseconds()
		}
		if i > 0 {
			mode = fmt.Sprintf("backup%d", i)
		}
		out = append(out, show.Object{
			{Key: "hostname", Value: one.Name}, {Key: "pinged", Value: pinged}, {Key: "responding", Value: one.Up}, {Key: "latency", Value: latency},
			{Key: "mode", Value: mode}, {Key: "primary", Value: i == 0}, {Key: "status", Value: pinged},
		})
	}
	return out
}
