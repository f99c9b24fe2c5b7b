// Package submit is what sbatch, srun and salloc share: reading their options,
// and gathering what a job takes along from where it is submitted.
package submit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/auth/hostuser"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/slurm"
)

// maxFile bounds a file an option names, such as a list of nodes.
const maxFile = 16 << 20

// Input is the world options are read in.
func Input(env *cli.Env) slurm.OptionInput {
	dir, _ := os.Getwd()
	return slurm.OptionInput{
		Now: env.Now(), Dir: dir, Env: env.Lookup, Root: env.UID() == 0,
		ReadFile: func(path string) ([]byte, error) {
			info, err := os.Stat(path)
			if err != nil {
				return nil, err
			}
			if info.Size() > maxFile {
				return nil, fmt.Errorf("%s is larger than %d bytes", path, maxFile)
			}
			return os.ReadFile(path)
		},
		User: func(name string) bool {
			if _, err := hostuser.Lookup(name); err == nil {
				return true
			}
			_, err := hostuser.LookupID(name)
			return err == nil
		},
		Group: func(name string) bool {
			if _, err := hostuser.LookupGroup(name); err == nil {
				return true
			}
			_, err := hostuser.LookupGroupID(name)
			return err == nil
		},
	}
}

// Refused prints why the options were refused, in the words they come with, and
// returns the exit code: the one that goes with the mistake, code for others.
func Refused(env *cli.Env, err error, code int) int {
	var help *slurm.HelpText
	if errors.As(err, &help) {
		text := help.Text
		if help.Gres {
			if of := gresHelp(env); of != "" {
				text = of
			}
		}
		fmt.Fprint(env.Stdout, text)
		return help.Exit
	}
	fmt.Fprintln(env.Stderr, err)
	var bad *slurm.OptionError
	if errors.As(err, &bad) {
		return bad.Exit
	}
	return code
}

// gresHelp is what --gres=help says of the cluster, "" where it does not answer or has no generic resources.
func gresHelp(env *cli.Env) string {
	client, err := cli.Connect(env)
	if err != nil {
		return ""
	}
	defer client.Close()
	nodes, err := show.Nodes(env, client.Controller)
	if err != nil {
		return ""
	}
	var names []string
	for _, n := range nodes {
		for _, g := range n.Gres {
			names = append(names, g.Name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	slices.Sort(names)
	return "Valid gres options are:\n" + strings.Join(slices.Compact(names), "[[:type]:count]\n") + "[[:type]:count]\n"
}

// Notices prints what the options gave rise to before the submission.
func Notices(env *cli.Env, o *slurm.CommandOptions) {
	for _, n := range o.Notices {
		fmt.Fprintln(env.Stderr, n.Line(env.Name))
	}
	for _, w := range o.NoEffect {
		env.Warnf("%s has no effect here", w)
	}
}

// WorkDir is the directory the job runs in, absolute.
func WorkDir(env *cli.Env, given string) string {
	// As the kernel calls it: Slurm does not go by PWD.
	dir, err := unix.Getwd()
	if err != nil {
		dir, _ = os.Getwd()
	}
	switch {
	case given == "":
		return dir
	case filepath.IsAbs(given):
		return given
	}
	return filepath.Join(dir, given)
}

// Environment is what of the caller's environment the job gets, by --export:
// everything (the default, and ALL), nothing but what describes the login
// (NONE, NIL), or the variables named, with new values where they are given.
func Environment(env *cli.Env, o *slurm.JobOptions) ([]string, error) {
	none := strings.EqualFold(o.Export, "NONE") || strings.EqualFold(o.Export, "NIL")
	if o.Given["export-file"] && !none {
		vars, err := fromFile(env, o.ExportFile)
		if err == nil && o.Given["export"] && !strings.EqualFold(o.Export, "ALL") {
			vars = Merge(login(env), vars)
		}
		return vars, err
	}
	vars := exported(env, o, func() []string { return append(login(env), slurmVars(env)...) })
	// It has been heeded; in the script it would be for the steps, whatever umask says there.
	return slices.DeleteFunc(vars, func(kv string) bool { return strings.HasPrefix(kv, "SLURM_UMASK=") }), nil
}

// StepEnvironment is the same for a step: its tasks are started without a
// login, so that what is not exported is not there. A list that begins with NONE is
// NONE, whatever follows; a job's goes by the rest.
func StepEnvironment(env *cli.Env, o *slurm.JobOptions) ([]string, error) {
	if first, _, more := strings.Cut(o.Export, ","); more && strings.EqualFold(first, "NONE") {
		return slurmVars(env), nil
	}
	return exported(env, o, func() []string { return slurmVars(env) }), nil
}

// fromFile is the environment that --export-file names, a file or the number
// of an open one: NAME=value, each ended by a zero byte.
func fromFile(env *cli.Env, name string) ([]string, error) {
	fd, err := strconv.Atoi(name)
	f := os.NewFile(uintptr(fd), name)
	if err != nil {
		f, err = os.Open(name)
	} else if _, err = unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); err != nil || f == nil {
		err = fmt.Errorf("descriptor %d is not open", fd)
	}
	if err != nil {
		return nil, fmt.Errorf("Could not open user environment file %s", name)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("Could not read user environment file %s: %w", name, err)
	case len(text) > maxFile:
		return nil, fmt.Errorf("User environment file %s is larger than %d bytes", name, maxFile)
	}
	return Merge(slurmVars(env), clean(strings.Split(string(text), "\x00"))), nil
}

// PrioProcess is the variable that tells a job the nice value of its submitter.
func PrioProcess() string {
	nice, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	if err != nil {
		nice = 20
	}
	return fmt.Sprintf("SLURM_PRIO_PROCESS=%d", 20-nice) // the system call counts from there
}

// exported is what --export names, over base where it does not name all. Base is
// asked for only then: it may take a login shell's time.
func exported(env *cli.Env, o *slurm.JobOptions, base func() []string) []string {
	if o.Export == "" && !o.Given["export"] || strings.EqualFold(o.Export, "ALL") {
		return clean(env.Vars)
	}
	var out []string
	set := map[string]int{}
	put := func(kv string) {
		name, _, _ := strings.Cut(kv, "=")
		if i, ok := set[name]; ok {
			out[i] = kv
			return
		}
		set[name] = len(out)
		out = append(out, kv)
	}
	words, open := splitExport(o.Export)
	if open != "" {
		env.Errorf("Improperly formed environment variable (%s)", open)
	}
	if len(words) == 1 && (strings.EqualFold(words[0], "NONE") || strings.EqualFold(words[0], "NIL")) {
		return base()
	}
	for _, w := range words {
		if strings.EqualFold(w, "ALL") {
			for _, kv := range clean(env.Vars) {
				put(kv)
			}
		}
	}
	if len(out) == 0 {
		for _, kv := range base() {
			put(kv)
		}
	}
	for _, w := range words {
		switch name, _, has := strings.Cut(w, "="); {
		case strings.EqualFold(w, "ALL") || w == "":
		case has:
			put(w)
		default:
			if v, ok := env.Lookup(name); ok {
				put(name + "=" + v)
			}
		}
	}
	return out
}

// splitExport cuts --export's list at commas outside quotes, which stay what they
// are. A quote that is not closed is the last word's, and that is returned as
// well.
func splitExport(s string) (words []string, open string) {
	quote, start := byte(0), 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == ',':
			words = append(words, s[start:i])
			start = i + 1
		}
	}
	words = append(words, s[start:])
	if quote != 0 {
		open = s[start:]
	}
	return words, open
}

// clean leaves out what cannot be an environment variable.
func clean(vars []string) []string {
	out := make([]string, 0, len(vars))
	for _, kv := range vars {
		if name, _, ok := strings.Cut(kv, "="); ok && name != "" {
			out = append(out, kv)
		}
	}
	return out
}

// loginFor is how long a login shell may take to say what it sets.
const loginFor = 8 * time.Second

// login is the environment a login would give the caller: what their login shell has once it has
// read their profile, or the little that is known of every login where the shell does not say.
func login(env *cli.Env) []string {
	vars := loginShell(env)
	if self, err := os.Executable(); err == nil {
		withCommands(vars, filepath.Dir(self))
	}
	return vars
}

// withCommands puts the directory of this cluster's commands in front of a login's PATH
// that lacks it: a job is to find the commands it was submitted with, also where they
// are not installed in a place of the system.
func withCommands(vars []string, dir string) {
	if info, err := os.Stat(filepath.Join(dir, "srun")); err != nil || info.IsDir() {
		return
	}
	for i, kv := range vars {
		if path, ok := strings.CutPrefix(kv, "PATH="); ok && !slices.Contains(filepath.SplitList(path), dir) {
			vars[i] = "PATH=" + dir + string(filepath.ListSeparator) + path
		}
	}
}

// loginShell is what a login shell of the caller sets.
func loginShell(env *cli.Env) []string {
	out := []string{"PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games"}
	u, err := env.User()
	if err != nil {
		return out
	}
	shell := env.Getenv("SHELL")
	if shell == "" {
		shell = "/bin/sh"
	}
	out = append(out, "HOME="+u.HomeDir, "USER="+u.Username, "LOGNAME="+u.Username, "SHELL="+shell, "MAIL=/var/mail/"+u.Username)
	if u.Uid != strconv.Itoa(os.Getuid()) { // by a token: what is in another's profile is not for this process to run
		return out
	}
	ctx, cancel := context.WithTimeout(env.Ctx, loginFor)
	defer cancel()
	cmd := exec.CommandContext(ctx, shell, "-l", "-c", "exec /usr/bin/env -0")
	cmd.Env, cmd.Dir = out, u.HomeDir
	cmd.WaitDelay = time.Second
	text, err := cmd.Output()
	if vars := clean(strings.Split(string(text), "\x00")); err == nil && len(vars) > 0 && len(text) < maxFile {
		return slices.DeleteFunc(vars, func(kv string) bool { return strings.HasPrefix(kv, "PWD=") || strings.HasPrefix(kv, "OLDPWD=") })
	}
	return out
}

// slurmVars are the variables that pass whatever --export says.
func slurmVars(env *cli.Env) []string {
	var out []string
	for _, kv := range env.Vars {
		if strings.HasPrefix(kv, "SLURM_") || strings.HasPrefix(kv, "SPANK_") || strings.HasPrefix(kv, "RINK_CONF=") {
			out = append(out, kv)
		}
	}
	return out
}

// rlimits are the limits a job takes along, by Slurm's names.
var rlimits = []struct {
	name string
	n    int
}{
	{"CPU", unix.RLIMIT_CPU}, {"FSIZE", unix.RLIMIT_FSIZE}, {"DATA", unix.RLIMIT_DATA}, {"STACK", unix.RLIMIT_STACK}, {"CORE", unix.RLIMIT_CORE},
	{"RSS", unix.RLIMIT_RSS}, {"NPROC", unix.RLIMIT_NPROC}, {"NOFILE", unix.RLIMIT_NOFILE}, {"MEMLOCK", unix.RLIMIT_MEMLOCK}, {"AS", unix.RLIMIT_AS},
}

// Limits reads the caller's resource limits that pass to the job: all of them,
// or those --propagate names.
func Limits(propagate string) ([]*rinkpb.Rlimit, error) {
	wanted := map[string]bool{}
	all := propagate == "" || propagate == "-"
	for _, w := range strings.Split(strings.ToUpper(propagate), ",") {
		switch w {
		case "ALL":
			all = true
		case "NONE":
			return nil, nil
		default:
			wanted[strings.TrimPrefix(w, "RLIMIT_")] = true
		}
	}
	var out []*rinkpb.Rlimit
	for _, r := range rlimits {
		if !all && !wanted[r.name] {
			continue
		}
		var have unix.Rlimit
		if err := unix.Getrlimit(r.n, &have); err != nil {
			return nil, fmt.Errorf("cannot read resource limit %s: %w", r.name, err)
		}
		if r.n == unix.RLIMIT_NOFILE && have.Cur+1 == have.Max { // as the runtime leaves it
			soft, err := callersFiles()
			if err != nil {
				return nil, fmt.Errorf("cannot read resource limit %s: %w", r.name, err)
			}
			have.Cur = min(soft, have.Max)
		}
		out = append(out, &rinkpb.Rlimit{Name: r.name, Soft: have.Cur, Hard: have.Max})
	}
	return out, nil
}

// callersFiles is the soft limit of open files that the caller gave this
// process. The Go runtime has raised it since, and gives it back to every
// program it starts: one is started, and asked.
func callersFiles() (uint64, error) {
	cmd := exec.Command("/bin/true")
	if _, err := os.Stat(cmd.Path); err != nil {
		cmd = exec.Command("/bin/sh", "-c", ":")
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	var have unix.Rlimit
	err := unix.Prlimit(cmd.Process.Pid, unix.RLIMIT_NOFILE, nil, &have) // answers until it is waited for
	cmd.Wait()
	return have.Cur, err
}

// FileMask is the file mode mask of what is submitted: SLURM_UMASK, or else the
// caller's own.
func FileMask(env *cli.Env) int {
	if text, ok := env.Lookup("SLURM_UMASK"); ok {
		if mask, err := strconv.ParseUint(text, 8, 32); err == nil {
			return int(mask & 0o777)
		}
	}
	return Umask()
}

// Umask reads the caller's file mode mask.
func Umask() int {
	// It is read where that is possible: setting it, which is the only other way, is for
	// all that this process does meanwhile.
	if text, err := os.ReadFile("/proc/self/status"); err == nil {
		if _, rest, ok := strings.Cut(string(text), "\nUmask:\t"); ok {
			digits, _, _ := strings.Cut(rest, "\n")
			if mask, err := strconv.ParseUint(digits, 8, 32); err == nil {
				return int(mask)
			}
		}
	}
	mask := unix.Umask(0o077)
	unix.Umask(mask)
	return mask
}

// Whereabouts puts into a request where it comes from and what it takes along
// besides the environment.
func Whereabouts(env *cli.Env, job *rinkpb.JobRequest, o *slurm.CommandOptions) error {
	job.SubmitHost, _ = os.Hostname()
	sid, err := unix.Getsid(0)
	if err == nil {
		job.SubmitPid = int32(sid)
	}
	words := make([]string, 0, len(env.Args)+1)
	for _, w := range append([]string{env.Name}, env.Args...) {
		words = append(words, w)
	}
	job.SubmitLine = strings.Join(words, " ")
	job.Umask = int32(FileMask(env))
	if o.Client.Umask != "" {
		mask, err := strconv.ParseUint(o.Client.Umask, 8, 16)
		if err != nil {
			return fmt.Errorf("Invalid umask %q", o.Client.Umask)
		}
		job.Umask = int32(mask)
	}
	if job.Rlimits, err = Limits(o.Job.Propagate); err != nil {
		return err
	}
	Notices(env, o)
	return nil
}
