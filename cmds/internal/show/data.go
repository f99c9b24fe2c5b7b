package show

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// Object is a JSON object that keeps the order of its keys.
type Object []Member

// Member is one key of an Object.
type Member struct {
	Key   string
	Value any
}

// MarshalJSON writes the object with its keys in order.
func (o Object) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, m := range o {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendQuote(b, m.Key)
		b = append(b, ':')
		value, err := json.Marshal(m.Value)
		if err != nil {
			return nil, err
		}
		b = append(b, value...)
	}
	return append(b, '}'), nil
}

// parsers are the versions of Slurm's data parser whose names and forms can be asked for, the
// one that is printed when none is asked for last.
var parsers = []string{"v0.0.40", "v0.0.41", "v0.0.42", "v0.0.43", "v0.0.44", "v0.0.45"}

// listParsers is what --json=list asks for.
const listParsers = "list"

// Encoding is how data is printed: the zero value as text.
type Encoding struct {
	yaml   bool
	parser string
}

// On says that data is printed at all, and not text.
func (e Encoding) On() bool { return e.parser != "" }

// olderThan says that the names and forms are those of before that version.
func (e Encoding) olderThan(version string) bool {
	return e.parser != "" && slices.Index(parsers, e.parser) < slices.Index(parsers, version)
}

// ParseEncoding reads --json or --yaml, whose value names the data parser ("v0.0.43",
// "data_parser/v0.0.43+fast"), or is "list".
func ParseEncoding(option, value string) (Encoding, error) {
	e := Encoding{yaml: option == "yaml", parser: parsers[len(parsers)-1]}
	name, flags, _ := strings.Cut(strings.TrimPrefix(strings.ToLower(value), "data_parser/"), "+")
	for f := range strings.SplitSeq(flags, "+") {
		// They are about numbers' forms in versions before these, speed and references in specifications.
		if !slices.Contains([]string{"", "none", "fast", "complex", "prefer_refs", "minimize_refs"}, f) {
			return Encoding{}, fmt.Errorf("--%s=%s: the data parser has no flag %s", option, value, f)
		}
	}
	switch {
	case name == "":
	case name == listParsers, slices.Contains(parsers, name):
		e.parser = name
	default:
		return Encoding{}, fmt.Errorf("--%s=%s: there is no such data parser: use one of %s", option, value, strings.Join(parsers, ", "))
	}
	return e, nil
}

// EnvEncoding is what SLURM_JSON or SLURM_YAML ask for.
func EnvEncoding(env *cli.Env) (Encoding, error) {
	for _, option := range []string{"json", "yaml"} {
		if value, ok := env.Lookup("SLURM_" + strings.ToUpper(option)); ok {
			return ParseEncoding(option, value)
		}
	}
	return Encoding{}, nil
}

// Data prints nouns, most often a list of them, under their name, with what Slurm's tools put around it.
func (v *View) Data(env *cli.Env, name string, list any) error {
	doc := Object{{name, list}}
	if name == "jobs" {
		doc = append(doc, Member{"last_backfill", NoNumber()}) // it is sdiag that knows
	}
	return v.DataWith(env, append(doc, Member{"last_update", Number(v.Now.Unix())}))
}

// DataWith prints a document of these members, in the view's encoding.
func (v *View) DataWith(env *cli.Env, doc Object) error { return v.DataTold(env, doc, nil, nil) }

// DataTold is DataWith for what went wrong, or is to be known besides.
func (v *View) DataTold(env *cli.Env, doc Object, errors, warnings []any) error {
	if v.Encoding.parser == listParsers {
		_, err := fmt.Fprintf(env.Stderr, "Possible data_parser plugins:\ndata_parser/%s\n", strings.Join(parsers, "\ndata_parser/"))
		return err
	}
	release := strings.SplitN(cli.SurfaceVersion, ".", 3)
	by, command, storage := cli.Via{}, append([]string{env.Name}, env.Args...), ""
	if env.Via != nil {
		by, command, storage = *env.Via, []string{}, "accounting_storage/slurmdbd"
	}
	doc = append(doc, Member{"meta", Object{
		{"plugin", Object{{"type", by.PluginType}, {"name", by.PluginName}, {"data_parser", "data_parser/" + v.Encoding.parser}, {"accounting_storage", storage}}},
		{"client", Object{{"source", by.Source}, {"user", by.User}, {"group", by.Group}}},
		{"command", command},
		{"slurm", Object{
			{"version", Object{{"major", release[0]}, {"micro", release[2]}, {"minor", release[1]}}},
			{"release", cli.SurfaceVersion}, {"cluster", v.Cluster},
		}},
	}}, Member{"errors", append([]any{}, errors...)}, Member{"warnings", append([]any{}, warnings...)})
	if err := writeDocument(env.Stdout, doc, v.Encoding.yaml); err != nil {
		return fmt.Errorf("cannot write %s: %w", doc[0].Key, err)
	}
	return nil
}

// Number is a number in the form that says whether there is one.
func Number(n int64) Object {
	return Object{{"set", true}, {"infinite", false}, {"number", n}}
}

// Float is a number with a fraction in that form; one without an end is infinite.
func Float(x float64) Object {
	if math.IsInf(x, 0) || math.IsNaN(x) {
		return Object{{"set", false}, {"infinite", true}, {"number", 0.0}}
	}
	return Object{{"set", true}, {"infinite", false}, {"number", x}}
}

// Endless is the form of a number without a bound.
func Endless() Object { return Object{{"set", false}, {"infinite", true}, {"number", 0}} }

// NoNumber is the form of a number that is not there.
func NoNumber() Object { return Object{{"set", false}, {"infinite", false}, {"number", 0}} }

// Stamp is a moment in seconds since 1970; none is 0.
func Stamp(t time.Time) Object {
	if t.IsZero() {
		return Number(0)
	}
	return Number(t.Unix())
}

// Minutes is a time limit.
func Minutes(d slurm.Duration) Object {
	switch {
	case d == slurm.Unlimited:
		return Endless()
	case d <= 0:
		return NoNumber()
	}
	return Number(d.Minutes())
}

func numberIf(n int64) Object {
	if n == 0 {
		return NoNumber()
	}
	return Number(n)
}

// ExitData is an exit code in words.
func ExitData(c sched.ExitCode) Object {
	status := []string{"SUCCESS"}
	signal := Object{{"id", NoNumber()}, {"name", ""}}
	switch {
	case c.Signal != 0:
		status = []string{"SIGNALED"}
		signal = Object{{"id", Number(int64(c.Signal))}, {"name", signalName(int(c.Signal))}}
	case c.Code != 0:
		status = []string{"ERROR"}
	}
	return Object{{"status", status}, {"return_code", Number(int64(c.Code))}, {"signal", signal}}
}

// signalName is the short name of a signal, "" for one that has none.
func signalName(n int) string {
	names := []string{1: "HUP", 2: "INT", 3: "QUIT", 4: "ILL", 5: "TRAP", 6: "ABRT", 7: "BUS", 8: "FPE", 9: "KILL", 10: "USR1", 11: "SEGV",
		12: "USR2", 13: "PIPE", 14: "ALRM", 15: "TERM", 17: "CHLD", 18: "CONT", 19: "STOP", 20: "TSTP", 24: "XCPU", 25: "XFSZ"}
	if n < 0 || n >= len(names) {
		return ""
	}
	return names[n]
}

// GresText prints what is held of generic resources on a node, with the indexes
// of the devices: gpu:a100:2(IDX:0-1).
func GresText(list []sched.GresAlloc) string {
	parts := make([]string, len(list))
	for i, g := range list {
		n := slurm.NodeGres{GresItem: slurm.GresItem{Name: g.Name, Type: g.Type, Count: g.Count}}
		if len(g.Index) > 0 {
			n.Indexed = true
			indexes := make([]uint32, len(g.Index))
			for k, at := range g.Index {
				indexes[k] = uint32(at)
			}
			slices.Sort(indexes)
			n.Index = slurm.NewIndexSet(indexes...)
		}
		parts[i] = n.String()
	}
	return strings.Join(parts, ",")
}

// Parsers are the data parsers there are, the oldest first.
func Parsers() []string { return slices.Clone(parsers) }
