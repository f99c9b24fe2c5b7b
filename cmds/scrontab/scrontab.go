// Package scrontab has jobs started again and again, at the times of a crontab.
package scrontab

import (
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/auth/hostuser"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/submit"
	"github.com/runink/rink/slurm"
)

//go:embed help.txt
var helpText string

// maxText bounds a crontab, in bytes.
const maxText = 1 << 20

// options are what the command line asks for.
type options struct {
	edit, list, remove bool
	user               string
	verbose            int
	file               string
	done               string
}

func optionTable() []slurm.OptionSpec {
	return []slurm.OptionSpec{
		{Names: []string{"autocomplete"}, Arg: slurm.RequiredArg}, {Short: 'e'}, {Names: []string{"help", "usage"}, Short: 'h'}, {Short: 'l'}, {Short: 'r'},
		{Short: 'u', Arg: slurm.RequiredArg}, {Short: 'v'}, {Names: []string{"version"}, Short: 'V'},
	}
}

func parseOptions(env *cli.Env) (*options, error) {
	o := &options{}
	given, words, err := slurm.Getopt(env.Name, optionTable(), env.Args, slurm.PermuteWords)
	for _, g := range given {
		switch g.Name() {
		case "e":
			o.edit = true
		case "l":
			o.list = true
		case "r":
			o.remove = true
		case "u":
			o.user = g.Value
		case "v":
			o.verbose++
		case "autocomplete":
			o.done = slurm.Completions(optionTable(), g.Value)
		case "help":
			o.done = helpText
		case "version":
			o.done = cli.VersionLine() + "\n"
		}
		if o.done != "" {
			return o, nil
		}
	}
	if err != nil {
		return nil, err
	}
	n := 0
	for _, on := range []bool{o.edit, o.list, o.remove} {
		if on {
			n++
		}
	}
	if n > 1 || len(words) > 1 || n > 0 && len(words) > 0 {
		return nil, fmt.Errorf("%s: error: only one of -e, -l, -r and a file can be given\nTry \"%s -h\" for more information", env.Name, env.Name)
	}
	if len(words) == 1 {
		o.file = words[0]
	}
	return o, nil
}

// Run is the command.
func Run(env *cli.Env) int {
	o, err := parseOptions(env)
	if err != nil {
		fmt.Fprintln(env.Stderr, err)
		return 1
	}
	if o.done != "" {
		fmt.Fprint(env.Stdout, o.done)
		return 0
	}
	if o.user != "" {
		u, err := hostuser.Lookup(o.user)
		if err != nil {
			if u, err = hostuser.LookupID(o.user); err != nil {
				return fatal(env, "Could not find user %s", o.user)
			}
		}
		o.user = u.Username
	}
	client, err := cli.Connect(env)
	if err != nil {
		return fatal(env, "%s", cli.Reason(err))
	}
	defer client.Close()
	switch {
	case o.list:
		return list(env, client, o)
	case o.remove:
		return remove(env, client, o)
	case o.edit:
		return edit(env, client, o)
	}
	text, err := read(env, o.file)
	if err != nil {
		return fatal(env, "%s", err)
	}
	if code, _ := install(env, client, o, text); code != 0 {
		return code
	}
	return 0
}

func fatal(env *cli.Env, format string, args ...any) int {
	fmt.Fprintf(env.Stderr, "%s: fatal: %s\n", env.Name, fmt.Sprintf(format, args...))
	return 1
}

// read gets a crontab from a file or, for "" and "-", from standard input.
func read(env *cli.Env, path string) (string, error) {
	in := env.Stdin
	if path != "" && path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return "", fmt.Errorf("cannot open %s: %w", path, errors.Unwrap(err))
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxText+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("cannot read the crontab: %w", err)
	case len(text) > maxText:
		return "", fmt.Errorf("the crontab is larger than %d bytes", maxText)
	}
	return string(text), nil
}

// get fetches the crontab that is there; none says that there is none.
func get(env *cli.Env, client *cli.Client, o *options) (text string, none bool, err error) {
	ctx, cancel := env.Call(time.Minute)
	defer cancel()
	reply, err := client.GetCrontab(ctx, &rinkpb.GetCrontabRequest{User: o.user})
	if err != nil {
		return "", false, cli.CallErr(err)
	}
	return reply.Text, reply.None, cli.StatusErr(reply.Status)
}

func list(env *cli.Env, client *cli.Client, o *options) int {
	text, none, err := get(env, client, o)
	switch {
	case err != nil:
		return refused(env, err)
	case none:
		fmt.Fprintf(env.Stderr, "no crontab for %s\n", owner(env, o))
		return 1
	}
	fmt.Fprint(env.Stdout, text)
	return 0
}

func owner(env *cli.Env, o *options) string {
	if o.user != "" {
		return o.user
	}
	if u, err := env.User(); err == nil {
		return u.Username
	}
	return fmt.Sprint(env.UID())
}

// refused says why the controller would not, and is the exit status.
func refused(env *cli.Env, err error) int {
	if cli.Is(err, slurm.ErrnoDisabled) {
		return fatal(env, "scrontab is disabled on this cluster")
	}
	return fatal(env, "Problem with the crontab: %s", cli.Reason(err))
}

func remove(env *cli.Env, client *cli.Client, o *options) int {
	if _, err := send(env, client, &rinkpb.SetCrontabRequest{User: o.user}); err != nil {
		return refused(env, err)
	}
	return 0
}

func send(env *cli.Env, client *cli.Client, req *rinkpb.SetCrontabRequest) (*rinkpb.CrontabReply, error) {
	ctx, cancel := env.Call(time.Minute)
	defer cancel()
	reply, err := client.SetCrontab(ctx, req)
	if err != nil {
		return nil, cli.CallErr(err)
	}
	return reply, cli.StatusErr(reply.Status)
}

// install makes a text the crontab. again reports whether the text is to blame, so
// that another try at editing it makes sense.
func install(env *cli.Env, client *cli.Client, o *options, text string) (code int, again bool) {
	entries, bad := parse(env.Name, text)
	if bad != nil {
		lineFailed(env, text, bad.line, bad.err)
		return 1, true
	}
	req := &rinkpb.SetCrontabRequest{User: o.user, Text: text}
	for i := range entries {
		job, err := request(env, o, &entries[i])
		if err != nil {
			lineFailed(env, text, entries[i].line, err)
			return 1, true
		}
		req.Jobs = append(req.Jobs, job)
	}
	reply, err := send(env, client, req)
	if err != nil {
		if line := int(reply.GetFailedLine()); line > 0 {
			lineFailed(env, text, line, errors.New(cli.Reason(err)))
			return 1, true
		}
		return refused(env, err), false
	}
	if o.verbose > 0 {
		for i, id := range reply.Jobs {
			if i < len(entries) {
				env.Infof("job %d for line %d: %s", id, entries[i].line, entries[i].spec)
			}
		}
	}
	return 0, false
}

func lineFailed(env *cli.Env, text string, line int, err error) {
	lines := strings.Split(text, "\n")
	env.Errorf("The crontab has errors and was not installed. Line %d: %v\n%s", line, err, lines[min(line, len(lines))-1])
}

// request is the job of an entry: as sbatch would submit it from the user's home,
// with the environment of a login.
func request(env *cli.Env, o *options, e *entry) (*rinkpb.JobRequest, error) {
	home, err := homeOf(env, o)
	if err != nil {
		return nil, err
	}
	in := slurm.OptionInput{Now: env.Now(), Dir: home, ReadFile: os.ReadFile}
	comps, err := slurm.ReadOptions(slurm.Sbatch, env.Name, append([]string{"--wrap", e.command}, e.options...), in)
	if err != nil {
		return nil, err
	}
	if len(comps) != 1 {
		return nil, errors.New("a job of a crontab has one component")
	}
	c := &comps[0]
	if c.Refused != nil {
		return nil, c.Refused
	}
	if c.From["job-name"] == slurm.FromNowhere {
		c.Job.Name = e.command
	}
	if c.Job.WorkDir == "" {
		c.Job.WorkDir = home
	} else if !filepath.IsAbs(c.Job.WorkDir) {
		c.Job.WorkDir = filepath.Join(home, c.Job.WorkDir)
	}
	if c.Job.OpenMode == "" {
		c.Job.OpenMode = "append"
	}
	if c.Job.Export == "" {
		c.Job.Export = "NONE"
	}
	vars, err := submit.Environment(env, &c.Job)
	if err != nil {
		return nil, err
	}
	vars = submit.Merge(vars, append([]string{"SLURM_SUBMIT_DIR=" + home, "HOME=" + home, "USER=" + owner(env, o), "LOGNAME=" + owner(env, o)}, e.vars...))
	c.Job.Cron, c.Job.CronFirstLine, c.Job.CronLine = e.spec.String(), e.first, e.line
	job := &rinkpb.JobRequest{Options: api.JobOptionsToProto(&c.Job), Script: e.script(), Env: vars, Batch: true}
	if err := submit.Whereabouts(env, job, c); err != nil {
		return nil, err
	}
	return job, nil
}

func homeOf(env *cli.Env, o *options) (string, error) {
	u, err := env.User()
	if o.user != "" {
		u, err = hostuser.Lookup(o.user)
	}
	if err != nil {
		return "", fmt.Errorf("cannot find the home directory of %s: %w", owner(env, o), err)
	}
	return u.HomeDir, nil
}

// edit has the crontab edited until it can be installed, or is left as it was.
func edit(env *cli.Env, client *cli.Client, o *options) int {
	text, none, err := get(env, client, o)
	if err != nil {
		return refused(env, err)
	}
	if none {
		text = template
	}
	f, err := os.CreateTemp("", "scrontab-*")
	if err != nil {
		return fatal(env, "cannot make a file to edit: %v", err)
	}
	defer os.Remove(f.Name())
	if _, err = f.WriteString(text); err == nil {
		err = f.Close()
	}
	if err != nil {
		return fatal(env, "cannot write %s: %v", f.Name(), err)
	}
	editor := env.Getenv("VISUAL")
	if editor == "" {
		editor = env.Getenv("EDITOR")
	}
	if editor == "" {
		editor = "vi"
	}
	for {
		cmd := exec.Command("/bin/sh", "-c", editor+` "$0"`, f.Name())
		cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.Env = env.Stdin, env.Stdout, env.Stderr, env.Vars
		if err := cmd.Run(); err != nil {
			env.Errorf("%s: %v", editor, err)
			return fatal(env, "the crontab is as it was")
		}
		edited, err := read(env, f.Name())
		if err != nil {
			return fatal(env, "%s", err)
		}
		if edited == text {
			env.Infof("no changes made to crontab")
			return 0
		}
		code, again := install(env, client, o, edited)
		if !again {
			return code
		}
		fmt.Fprint(env.Stdout, "Do you want to retry the same edit? (y/n) ")
		answer := make([]byte, 64)
		n, err := env.Stdin.Read(answer)
		if err != nil || !strings.HasPrefix(strings.ToLower(strings.TrimSpace(string(answer[:n]))), "y") {
			return 1
		}
	}
}

// template is what a new crontab is edited from.
const template = `# A line: minute hour day-of-month month day-of-week command
# Options of sbatch for the next line alone: #SCRON -t 10 -J name
`
