// Package adopt is the command that PAM calls for a session that comes from outside,
// as by ssh: it has the session taken into a job of its user's on this node, and
// refuses those who have none.
package adopt

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	ucli "github.com/urfave/cli/v2"

	"github.com/runink/rink/api/call"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/auth/hostuser"
	"github.com/runink/rink/cmds/internal/cli"
)

// noJob is what someone without a job reads, in pam_slurm_adopt's words.
const noJob = "Access denied by pam_slurm_adopt: you have no active jobs on this node"

// errDenied is that the session is refused, which the user has been told.
var errDenied = errors.New("refused")

// Run is the command; it returns 0 when the session may go on.
func Run(env *cli.Env) int {
	app := &ucli.App{
		Name: "rink adopt", Usage: "take a session from outside into its user's job on this node", HideHelpCommand: true, HideVersion: true,
		Description: "For pam_exec, which says in PAM_USER whose session it is. The process that calls goes into the newest job of that user here, with all it" +
			" forks from then on: it has the job's limits and ends with it. Root is let through.",
		Writer: env.Stdout, ErrWriter: env.Stderr,
		ExitErrHandler: func(*ucli.Context, error) {},
		Flags: []ucli.Flag{
			&ucli.StringFlag{Name: "user", Usage: "the session is `USER`'s, in place of PAM_USER"},
			&ucli.IntFlag{Name: "pid", Usage: "the session is process `PID`, in place of the one that calls", DefaultText: "the caller"},
			&ucli.StringFlag{Name: "no-jobs", Value: "deny", Usage: "`WHAT` becomes of a session whose user has no job here: deny, or ignore, which lets it through"},
			&ucli.StringFlag{Name: "failure", Value: "allow", Usage: "`WHAT` becomes of one that cannot be adopted: allow or deny"},
			&ucli.StringFlag{Name: "name", Usage: "where the host plays several nodes: the one of that `NAME`"},
		},
		Action: func(c *ucli.Context) error { return run(env, c) },
	}
	switch err := app.Run(append([]string{"rink adopt"}, env.Args...)); {
	case errors.Is(err, errDenied):
		return 1
	case err != nil:
		env.Errorf("%v", err)
		return 1
	}
	return 0
}

func run(env *cli.Env, c *ucli.Context) error {
	if c.Args().Len() > 0 {
		return fmt.Errorf("%q is one word too many", c.Args().First())
	}
	for name, other := range map[string]string{"no-jobs": "ignore", "failure": "allow"} {
		if v := c.String(name); v != "deny" && v != other {
			return fmt.Errorf("--%s=%s is neither deny nor %s", name, v, other)
		}
	}
	if env.Getenv("PAM_TYPE") == "close_session" {
		return nil
	}
	name := c.String("user")
	if name == "" {
		name = env.Getenv("PAM_USER")
	}
	if name == "" {
		return errors.New("neither --user nor PAM_USER says whose session it is")
	}
	uid, err := uidOf(name)
	if err != nil {
		return err
	}
	if uid == 0 {
		return nil
	}
	pid := c.Int("pid")
	if !c.IsSet("pid") {
		pid = os.Getppid()
	}
	err = ask(env, c.String("name"), uid, pid)
	switch {
	case err == nil:
		return nil
	case call.CodeOf(err) == call.NotFound:
		if c.String("no-jobs") == "ignore" {
			return nil
		}
		fmt.Fprintln(env.Stdout, noJob) // pam_exec shows a user this
		return errDenied
	case c.String("failure") == "allow":
		env.Errorf("the session goes on without: %v", err)
		return nil
	}
	return err
}

func uidOf(name string) (uint32, error) {
	u, err := hostuser.Lookup(name)
	if err != nil {
		return 0, fmt.Errorf("cannot find user %s: %w", strconv.Quote(name), err)
	}
	n, err := strconv.ParseUint(u.Uid, 10, 32)
	return uint32(n), err
}

func ask(env *cli.Env, node string, uid uint32, pid int) error {
	client, err := cli.ConnectNode(env, node)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := env.Call(30 * time.Second)
	defer cancel()
	_, err = client.Adopt(ctx, &rinkpb.AdoptRequest{Pid: int32(pid), Uid: uid})
	return err
}
