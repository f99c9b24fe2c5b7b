// Package barn is rink barn: backups of what the controllers keep, and what an
// operator does with it when something is lost.
package barn

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	ucli "github.com/urfave/cli/v2"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/ctld"
	"github.com/runink/rink/secrets/atrest"
)

// Run is the command.
func Run(env *cli.Env) int {
	r := &runner{env: env}
	controller := &ucli.StringFlag{Name: "controller", Usage: "the controller `NAME` of this host (default: the one that answers)"}
	key := &ucli.StringFlag{Name: "key-file", Usage: "what it is sealed with (default: StateEncryptionKeyFile of the configuration, when there is one)"}
	app := &ucli.App{
		Name: "rink barn", Usage: "back up what the controllers keep, check it, and put it back", HideHelpCommand: true, HideVersion: true,
		Writer: env.Stdout, ErrWriter: env.Stderr, ExitErrHandler: func(*ucli.Context, error) {},
		Commands: []*ucli.Command{
			{Name: "backup", ArgsUsage: "FILE|-", Usage: "write state, history and the cluster's authority of a running controller into a file",
				Flags: []ucli.Flag{controller}, Action: r.backup},
			{Name: "verify", ArgsUsage: "[FILE|DIR]", Usage: "read everything in a backup, in a stopped controller's StateSaveLocation, or in that of the running one",
				Flags: []ucli.Flag{controller, key}, Action: r.verify},
			{Name: "restore", ArgsUsage: "FILE|-", Usage: "make an empty directory the StateSaveLocation of a cluster of one controller that begins with a backup",
				Flags: []ucli.Flag{&ucli.StringFlag{Name: "dir", Required: true, Usage: "the StateSaveLocation `DIR`, missing or empty"},
					&ucli.StringFlag{Name: "name", Usage: "the controller's `NAME` in SlurmctldHost (default: that of the one that made the backup)"},
					&ucli.StringFlag{Name: "address", Usage: "where other controllers reach it, `HOST:PORT` (default: as the one that made the backup)"}, key}, Action: r.restore},
			{Name: "recover", Usage: "make this stopped controller a cluster of its own, when a majority of the controllers is lost for good",
				Flags: []ucli.Flag{&ucli.StringFlag{Name: "name", Usage: "the controller `NAME` of SlurmctldHost (default: that of this host)"},
					&ucli.BoolFlag{Name: "i-may-lose-jobs", Usage: "do it: what only the lost controllers knew is gone"}}, Action: r.recover},
			{Name: "rekey", Usage: "seal what a stopped controller keeps with the first key of StateEncryptionKeyFile, as starting it does",
				Flags: []ucli.Flag{&ucli.StringFlag{Name: "name", Usage: "the controller `NAME` of SlurmctldHost (default: that of this host)"}}, Action: r.rekey},
			{Name: "newkey", ArgsUsage: "FILE", Usage: "make a key for StateEncryptionKeyFile", Action: r.newKey},
			{Name: "compare", Usage: "have all controllers sum up state and history as of one log entry, and say where they differ",
				Flags: []ucli.Flag{controller}, Action: r.compare},
		},
		Action: func(c *ucli.Context) error {
			if c.NArg() > 0 {
				return fmt.Errorf("%q is not something rink barn does (see rink barn --help)", c.Args().First())
			}
			return ucli.ShowAppHelp(c)
		},
	}
	if err := app.Run(append([]string{"rink barn"}, flagsFirst(env.Args)...)); err != nil {
		if !errors.Is(err, errTold) {
			env.Errorf("%v", err)
		}
		return 1
	}
	return 0
}

// flagsFirst puts the options of a verb before its other words, so that they may
// come in any order.
func flagsFirst(args []string) []string {
	if len(args) == 0 {
		return nil
	}
	var flags, words []string
	for i := 1; i < len(args); i++ {
		word := args[i]
		if word == "--" {
			words = append(words, args[i:]...)
			break
		}
		if len(word) < 2 || word[0] != '-' {
			words = append(words, word)
			continue
		}
		flags = append(flags, word)
		switch strings.TrimLeft(word, "-") {
		case "dir", "name", "address", "key-file", "controller":
			if i++; i < len(args) {
				flags = append(flags, args[i])
			}
		}
	}
	return slices.Concat(args[:1], flags, words)
}

// errTold: what is wrong has been said.
var errTold = errors.New("something is wrong")

type runner struct{ env *cli.Env }

func (r *runner) log() *slog.Logger { return slog.New(slog.NewTextHandler(r.env.Stderr, nil)) }

// config reads the configuration of the controller of that name.
func (r *runner) config(name string) (ctld.Config, error) {
	path, err := cli.ConfigPath(r.env)
	if err != nil {
		return ctld.Config{}, err
	}
	host, err := os.Hostname()
	if err != nil {
		return ctld.Config{}, err
	}
	return ctld.ReadConfigOf(path, host, name)
}

// keys reads the key of the flag, or of the configuration where there is one.
func (r *runner) keys(c *ucli.Context) (*atrest.Keys, error) {
	if path := c.String("key-file"); path != "" {
		return atrest.Load(path)
	}
	path, err := cli.ConfigPath(r.env)
	if err != nil {
		return nil, nil
	}
	conf, err := ctld.ReadConf(path)
	if err != nil {
		return nil, nil // it need not be there for a backup that is not sealed
	}
	return (&ctld.Config{Conf: conf, Name: c.String("name")}).ReadKeys()
}

func one(c *ucli.Context, what string) (string, error) {
	if c.NArg() != 1 || c.Args().First() == "" {
		return "", fmt.Errorf("rink barn %s wants one %s", c.Command.Name, what)
	}
	return c.Args().First(), nil
}

// backup writes a backup into a file that is there whole or not at all.
func (r *runner) backup(c *ucli.Context) (err error) {
	path, err := one(c, "FILE, or - for the standard output")
	if err != nil {
		return err
	}
	client, done, err := cli.ConnectBarn(r.env, c.String("controller"))
	if err != nil {
		return err
	}
	defer done()
	out, finish := r.env.Stdout, func() error { return nil }
	if path != "-" {
		part := path + ".part"
		f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return err
		}
		out = f
		defer func() {
			f.Close()
			os.Remove(part) // no longer there when all went well
		}()
		finish = func() error {
			if err := f.Sync(); err != nil {
				return err
			}
			if err := os.Rename(part, path); err != nil {
				return err
			}
			d, err := os.Open(filepath.Dir(path))
			if err != nil {
				return err
			}
			return errors.Join(d.Sync(), d.Close())
		}
	}
	ctx, cancel := r.env.Call(backupLimit)
	defer cancel()
	stream, err := client.Backup(ctx, &rinkpb.BackupRequest{})
	if err != nil {
		return cli.CallErr(err)
	}
	for {
		chunk, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return errors.New("the backup broke off before its end")
		case err != nil:
			return cli.CallErr(err)
		case chunk.Whole:
			return finish()
		}
		if _, err := out.Write(chunk.Data); err != nil {
			return err
		}
	}
}

// verify says of each thing what is in it and what is wrong.
func (r *runner) verify(c *ucli.Context) error {
	bad := false
	say := func(what, found, wrong string) {
		if wrong != "" {
			bad = true
			fmt.Fprintf(r.env.Stdout, "WRONG %s: %s\n", what, wrong)
			return
		}
		fmt.Fprintf(r.env.Stdout, "ok    %s: %s\n", what, found)
	}
	if c.NArg() == 0 {
		client, done, err := cli.ConnectBarn(r.env, c.String("controller"))
		if err != nil {
			return err
		}
		defer done()
		ctx, cancel := r.env.Call(backupLimit)
		defer cancel()
		stream, err := client.Verify(ctx, &rinkpb.VerifyRequest{})
		if err != nil {
			return cli.CallErr(err)
		}
		for {
			line, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return cli.CallErr(err)
			}
			say(line.What, line.Found, line.Wrong)
		}
	} else {
		path, err := one(c, "FILE or DIR at most")
		if err != nil {
			return err
		}
		keys, err := r.keys(c)
		if err != nil {
			return err
		}
		if err := ctld.VerifyPath(path, keys, func(f ctld.Finding) {
			wrong := ""
			if f.Wrong != nil {
				wrong = f.Wrong.Error()
			}
			say(f.What, f.Found, wrong)
		}); err != nil {
			return err
		}
	}
	if bad {
		return errTold
	}
	return nil
}

func (r *runner) restore(c *ucli.Context) error {
	path, err := one(c, "FILE, or - for the standard input")
	if err != nil {
		return err
	}
	keys, err := r.keys(c)
	if err != nil {
		return err
	}
	head, err := ctld.Restore(ctld.RestoreOptions{
		File: path, Dir: c.String("dir"), Name: c.String("name"), Address: c.String("address"), Keys: keys, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return fmt.Errorf("cannot restore %s: %w", path, err)
	}
	fmt.Fprintf(r.env.Stdout, "cluster %s restored into %s as of log entry %d; start the controller on it alone\n", head.Cluster, c.String("dir"), head.Index)
	return nil
}

func (r *runner) recover(c *ucli.Context) error {
	conf, err := r.config(c.String("name"))
	if err != nil {
		return err
	}
	if !c.Bool("i-may-lose-jobs") {
		fmt.Fprintf(r.env.Stderr, `rink barn recover makes controller %s a cluster of its own with what is in %s.
- What was acknowledged and is on the lost controllers alone is lost: jobs, changes, ends of jobs.
  Of several survivors take the one with the highest last log entry: rink barn verify DIR tells it.
- Entries that were never acknowledged become part of the log.
- No other controller may ever be started again on what it has: empty its StateSaveLocation and join it anew.
Say --i-may-lose-jobs to do it.
`, conf.Name, conf.StateDir)
		return errTold
	}
	found, err := ctld.Recover(conf, r.log())
	if err != nil {
		return err
	}
	fmt.Fprintf(r.env.Stdout, "controller %s is a cluster of its own as of log entry %d (term %d); the controllers were:\n", conf.Name, found.Index, found.Term)
	for _, m := range found.Before {
		fmt.Fprintf(r.env.Stdout, "  %s\n", m)
	}
	return nil
}

func (r *runner) rekey(c *ucli.Context) error {
	conf, err := r.config(c.String("name"))
	if err != nil {
		return err
	}
	return ctld.Reseal(conf, r.log())
}

func (r *runner) newKey(c *ucli.Context) error {
	path, err := one(c, "FILE")
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(atrest.New())
	return errors.Join(err, f.Sync(), f.Close())
}
