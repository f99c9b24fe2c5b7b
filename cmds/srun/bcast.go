package srun

import (
	"os"
	"path/filepath"

	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/submit"
	"github.com/runink/rink/cmds/sbcast"
	"github.com/runink/rink/slurm"
)

// bcast is --bcast: the program is copied to the job's nodes, and the copy is
// what the tasks run. It returns the program to run, and an exit code that is
// not 0 when that could not be done.
func (s *run) bcast(id slurm.JobID, dir string) (string, int) {
	o := &s.o.Job
	source := searchPath(s.env, s.argv[0], dir)
	dest := o.Step.Bcast
	if dest == "-" {
		dest = "slurm_bcast_" + id.String() + "." + submit.NewKey()[:8]
	}
	if dest[len(dest)-1] == '/' {
		dest = filepath.Join(dest, "slurm_bcast_"+id.String()+"."+submit.NewKey()[:8])
	}
	if !filepath.IsAbs(dest) {
		dest = filepath.Join(dir, dest)
	}
	args := []string{"--force", "--jobid=" + id.String()}
	if o.Step.Compress != "" && o.Step.Compress != "none" {
		args = append(args, "--compress="+o.Step.Compress)
	}
	if o.Step.SendLibs == "yes" {
		args = append(args, "--send-libs")
		if o.Step.BcastExclude != "" {
			args = append(args, "--exclude="+o.Step.BcastExclude)
		}
	}
	env := *s.env
	env.Args = append(args, source, dest)
	return dest, sbcast.Run(&env)
}

// searchPath finds a command as the tasks would: along PATH, unless it says
// where it is.
func searchPath(env *cli.Env, name, dir string) string {
	if filepath.Base(name) != name {
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		return name
	}
	for _, d := range filepath.SplitList(env.Getenv("PATH")) {
		full := filepath.Join(d, name)
		if info, err := os.Stat(full); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return full
		}
	}
	return name
}
