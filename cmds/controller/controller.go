// Package controller looks after the controllers of the cluster: which there are,
// taking one out, handing over the lead.
package controller

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	ucli "github.com/urfave/cli/v2"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/show"
)

// Run is the command.
func Run(env *cli.Env) int {
	app := &ucli.App{
		Name: "rink controller", Usage: "look after the controllers of the cluster", HideHelpCommand: true, HideVersion: true,
		Writer: env.Stdout, ErrWriter: env.Stderr,
		ExitErrHandler: func(*ucli.Context, error) {},
		Commands: []*ucli.Command{
			{
				Name: "list", Usage: "which there are, who leads, and how far each is", Flags: []ucli.Flag{
					&ucli.BoolFlag{Name: "noheader", Usage: "no line of titles"},
					&ucli.StringFlag{Name: "format", Aliases: []string{"o"}, Usage: "a line a controller, with `FORMAT`'s " + letters()},
				},
				Action: func(c *ucli.Context) error { return list(env, c) },
			},
			{
				Name: "remove", Usage: "take one out, for good: to have it back it joins anew", ArgsUsage: "NAME",
				Action: func(c *ucli.Context) error { return change(env, c, true) },
			},
			{
				Name: "transfer", Usage: "hand the lead over, to the one that is furthest or the one named", ArgsUsage: "[NAME]",
				Action: func(c *ucli.Context) error { return change(env, c, false) },
			},
		},
		Action: func(c *ucli.Context) error {
			if c.Args().Len() > 0 {
				return fmt.Errorf("%q is none of list, remove and transfer", c.Args().First())
			}
			return list(env, c)
		},
	}
	if err := app.Run(append([]string{"rink controller"}, env.Args...)); err != nil {
		env.Errorf("%v", err)
		return 1
	}
	return 0
}

// column is one thing to tell of a controller.
type column struct {
	letter byte
	title  string
	value  func(c *rinkpb.ControllerState, now time.Time) string
}

var columns = []column{
	{'n', "NAME", func(c *rinkpb.ControllerState, _ time.Time) string { return c.Name }},
	{'a', "ADDRESS", func(c *rinkpb.ControllerState, _ time.Time) string { return c.Address }},
	{'r', "ROLE", func(c *rinkpb.ControllerState, _ time.Time) string { return show.ControllerRole(c) }},
	{'s', "STATE", func(c *rinkpb.ControllerState, _ time.Time) string { return show.ControllerStanding(c) }},
	{'t', "TERM", number(func(h *rinkpb.ControllerHealth) uint64 { return h.Term })},
	{'i', "APPLIED", number(func(h *rinkpb.ControllerHealth) uint64 { return h.Applied })},
	{'c', "CONTACT", func(c *rinkpb.ControllerState, _ time.Time) string {
		if c.Health == nil || c.Health.Contact < 0 {
			return "-"
		}
		return (time.Duration(c.Health.Contact) * time.Millisecond).String()
	}},
	{'u', "SINCE", func(c *rinkpb.ControllerState, now time.Time) string {
		if c.Health == nil {
			return "-"
		}
		return now.Sub(time.Unix(0, c.Health.Booted)).Truncate(time.Second).String()
	}},
	{'v', "VERSION", func(c *rinkpb.ControllerState, _ time.Time) string {
		if c.Health == nil {
			return "-"
		}
		words := strings.Fields(c.Health.Version)
		if len(words) == 0 {
			return "-"
		}
		return strings.TrimSuffix(words[len(words)-1], ")")
	}},
}

func number(of func(*rinkpb.ControllerHealth) uint64) func(*rinkpb.ControllerState, time.Time) string {
	return func(c *rinkpb.ControllerState, _ time.Time) string {
		if c.Health == nil {
			return "-"
		}
		return strconv.FormatUint(of(c.Health), 10)
	}
}

func letters() string {
	var words []string
	for _, c := range columns {
		words = append(words, "%"+string(c.letter)+" "+strings.ToLower(c.title))
	}
	return strings.Join(words, ", ")
}

func list(env *cli.Env, c *ucli.Context) error {
	client, err := cli.Connect(env)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := env.Call(10 * time.Second)
	defer cancel()
	reply, err := client.ListControllers(ctx, &rinkpb.ListControllersRequest{})
	if err != nil {
		return cli.CallErr(err)
	}
	format := c.String("format")
	if format != "" {
		for _, one := range reply.Controllers {
			line, err := fill(format, one, env.Now())
			if err != nil {
				return err
			}
			fmt.Fprintln(env.Stdout, line)
		}
		return nil
	}
	w := tabwriter.NewWriter(env.Stdout, 0, 8, 2, ' ', 0)
	row := func(value func(column) string) {
		words := make([]string, len(columns))
		for i, col := range columns {
			words[i] = value(col)
		}
		fmt.Fprintln(w, strings.Join(words, "\t"))
	}
	if !c.Bool("noheader") {
		row(func(col column) string { return col.title })
	}
	for _, one := range reply.Controllers {
		row(func(col column) string { return col.value(one, env.Now()) })
	}
	return w.Flush()
}

// fill writes a line by a format.
func fill(format string, c *rinkpb.ControllerState, now time.Time) (string, error) {
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			b.WriteByte(format[i])
			continue
		}
		if i++; i == len(format) {
			return "", errors.New("a format does not end with %")
		}
		known := format[i] == '%'
		if known {
			b.WriteByte('%')
		}
		for _, col := range columns {
			if col.letter == format[i] {
				known = true
				b.WriteString(col.value(c, now))
			}
		}
		if !known {
			return "", fmt.Errorf("%%%c is nothing that is known of a controller: there are %s", format[i], letters())
		}
	}
	return b.String(), nil
}

func change(env *cli.Env, c *ucli.Context, remove bool) error {
	req := &rinkpb.ChangeControllersRequest{}
	switch {
	case remove && c.Args().Len() != 1:
		return errors.New("remove needs the name of one controller")
	case c.Args().Len() > 1:
		return fmt.Errorf("unexpected argument %q", c.Args().Get(1))
	case remove:
		req.Remove = c.Args().First()
	default:
		req.Transfer, req.To = true, c.Args().First()
	}
	client, err := cli.Connect(env)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := env.Call(time.Minute)
	defer cancel()
	reply, err := client.ChangeControllers(ctx, req)
	if err != nil {
		return cli.CallErr(err)
	}
	if err := cli.StatusErr(reply.Status); err != nil {
		return err
	}
	if !remove {
		fmt.Fprintf(env.Stdout, "%s leads\n", reply.Leader)
	}
	return nil
}
