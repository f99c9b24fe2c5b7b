package rinkctld

import (
	"fmt"
	"strings"

	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/ctld"
	"github.com/runink/rink/slurm"
)

// check prints, for every key of the configuration, what becomes of it. A
// refused key makes the check fail.
func check(env *cli.Env, path, host, name string) error {
	reports, err := ctld.CheckConfig(path)
	refused := 0
	for _, r := range reports {
		line := fmt.Sprintf("%s:%d: %-8s %s=%s", r.File, r.Line, r.Verdict, r.Key, r.Value)
		if r.Why != "" {
			line += " (" + r.Why + ")"
		}
		fmt.Fprintln(env.Stdout, strings.TrimRight(line, " "))
		if r.Verdict == slurm.Refused {
			refused++
		}
	}
	if err != nil {
		return err
	}
	if refused > 0 {
		return fmt.Errorf("%d keys are refused", refused)
	}
	// Of a controller of this host, also what it reads besides.
	if conf, err := ctld.ReadConfigOf(path, host, name); err == nil {
		if _, err := conf.ReadTokenKey(); err != nil {
			return err
		}
	}
	return nil
}
