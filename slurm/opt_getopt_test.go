package slurm

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// squeueLike is a table with what listings have: optional values, letters
// without names, names with aliases.
var squeueLike = []OptionSpec{
	{Names: []string{"account", "accounts"}, Short: 'A', Arg: RequiredArg},
	{Names: []string{"all"}, Short: 'a'},
	{Names: []string{"jobs"}, Short: 'j', Arg: OptionalArg},
	{Names: []string{"format"}, Short: 'o', Arg: RequiredArg},
	{Names: []string{"node", "nodes", "nodelist"}, Short: 'w', Arg: RequiredArg},
	{Names: []string{"noheader"}, Short: 'h'},
	{Names: []string{"users"}, Short: 'u', Arg: RequiredArg},
	{Short: 'U', Arg: RequiredArg},
}

// show writes options as name=value, a lone name where there is no value.
func show(opts []Option, rest []string) string {
	var out []string
	for _, o := range opts {
		s := o.Name()
		if o.HasValue {
			s += "=" + o.Value
		}
		out = append(out, s)
	}
	return fmt.Sprintf("%s | %s", strings.Join(out, " "), strings.Join(rest, " "))
}

func TestGetopt(t *testing.T) {
	tests := []struct {
		name    string
		args    []string
		permute Permute
		want    string
	}{
		{"Nothing", nil, StopAtWord, " | "},
		{"LongWithEquals", []string{"--format=%i"}, StopAtWord, "format=%i | "},
		{"LongWithNextWord", []string{"--format", "%i"}, StopAtWord, "format=%i | "},
		{"LongWithEmptyValue", []string{"--format="}, StopAtWord, "format= | "},
		{"ValueLooksLikeOption", []string{"--format", "-h"}, StopAtWord, "format=-h | "},
		{"JoinedLetter", []string{"-o%i %j"}, StopAtWord, "format=%i %j | "},
		{"BlankLedLetter", []string{"-o %i"}, StopAtWord, "format= %i | "},
		{"Cluster", []string{"-aho", "%F/%C"}, StopAtWord, "all noheader format=%F/%C | "},
		{"ClusterJoined", []string{"-ahu me"}, StopAtWord, "all noheader users= me | "},
		{"OptionalJoined", []string{"-j5"}, StopAtWord, "jobs=5 | "},
		{"OptionalNotTakenFromNext", []string{"-j", "5"}, PermuteWords, "jobs | 5"},
		{"OptionalLongNotTakenFromNext", []string{"--jobs", "5"}, PermuteWords, "jobs | 5"},
		{"OptionalEmpty", []string{"--jobs="}, StopAtWord, "jobs= | "},
		{"UniquePrefix", []string{"--noh", "--form=x"}, StopAtWord, "noheader format=x | "},
		{"PrefixOfAliases", []string{"--node=x"}, StopAtWord, "node=x | "},
		{"PrefixFitsAliasesOnly", []string{"--acc=x"}, StopAtWord, "account=x | "},
		{"LetterWithoutName", []string{"-Ux"}, StopAtWord, "U=x | "},
		{"StopAtWord", []string{"-a", "script", "-h"}, StopAtWord, "all | script -h"},
		{"Permute", []string{"12", "-a", "13", "--users", "me"}, PermuteWords, "all users=me | 12 13"},
		{"DoubleDash", []string{"-a", "--", "-h"}, PermuteWords, "all | -h"},
		{"DashIsAWord", []string{"-", "-a"}, PermuteWords, "all | -"},
		{"Repeated", []string{"-aa", "-ux", "-uy"}, StopAtWord, "all all users=x users=y | "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			opts, rest, err := Getopt("squeue", squeueLike, tt.args, tt.permute)
			if err != nil {
				t.Fatal(err)
			}
			if got := show(opts, rest); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestGetoptMistakes(t *testing.T) {
	tests := []struct{ name, args, want string }{
		{"Unknown", "--jobname=x", "squeue: unrecognized option '--jobname=x'"},
		{"UnknownLetter", "-aZ", "squeue: invalid option -- 'Z'"},
		{"MissingLetterValue", "-o", "squeue: option requires an argument -- 'o'"},
		{"MissingValue", "--form", "squeue: option '--format' requires an argument"},
		{"UnwantedValue", "--all=x", "squeue: option '--all' doesn't allow an argument"},
		{"Ambiguous", "--no=3", "squeue: option '--no=3' is ambiguous; possibilities: '--node' '--noheader'"},
		{"AmbiguousBetweenMany", "--a", "squeue: option '--a' is ambiguous; possibilities: '--account' '--all'"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := Getopt("squeue", squeueLike, []string{tt.args}, PermuteWords)
			if err == nil {
				t.Fatal("no error")
			}
			if got := err.(*OptionError).Lines[0]; got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if got := err.(*OptionError).Lines[1]; got != `Try "squeue --help" for more information` {
				t.Errorf("second line: %s", got)
			}
		})
	}
}

func TestGetoptReturnsWhatStandsBeforeAMistake(t *testing.T) {
	opts, _, err := Getopt("squeue", squeueLike, []string{"-a", "-ux", "--bad", "-h"}, PermuteWords)
	if err == nil || show(opts, nil) != "all users=x | " {
		t.Errorf("got %q and %v", show(opts, nil), err)
	}
}

// Slurm's getopt lists the options a prefix fits in the order of its table,
// which is not quite that of the alphabet.
func TestPossibilitiesInSlurmsOrder(t *testing.T) {
	tests := []struct {
		cmd          Command
		prefix, want string
	}{
		{Sbatch, "nod", "'--nodefile' '--nodelist' '--nodes'"},
		{Sbatch, "ntasks-per", "'--ntasks-per-core' '--ntasks-per-gpu' '--ntasks-per-node' '--ntasks-per-socket' '--ntasks-per-tres'"},
		{Sbatch, "clu", "'--cluster-constraint' '--cluster' '--clusters'"},
		{Sbatch, "b", "'--batch' '--begin' '--bb' '--bbf'"},
		{Sbatch, "v", "'--verbose' '--version'"},
		{Salloc, "w", "'--wait-all-nodes' '--wckey'"},
		{Srun, "j", "'--jobid' '--job-name'"},
		{Srun, "cpu", "'--cpu-bind' '--cpu-freq' '--cpus-per-gpu' '--cpus-per-task'"},
	}
	for _, tt := range tests {
		_, err := ParseCommandLine(tt.cmd, "x", []string{"--" + tt.prefix})
		want := "x: option '--" + tt.prefix + "' is ambiguous; possibilities: " + tt.want
		if err == nil || err.(*OptionError).Lines[0] != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

// FuzzGetopt: whatever Getopt accepts means the same when it is written out
// again one option at a time, and words are neither lost nor invented.
func FuzzGetopt(f *testing.F) {
	for _, seed := range []string{"-aho\x00%i", "--jobs=5\x00x", "--\x00-a", "-j5\x00-a\x00w", "--noh\x00--acc\x00b", "-Ux", "--=", "-", ""} {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, line string, permute bool) {
		args := strings.Split(line, "\x00")
		opts, rest, err := Getopt("squeue", squeueLike, args, Permute(permute))
		if err != nil {
			if len(err.(*OptionError).Lines) != 2 {
				t.Fatalf("an error of %d lines", len(err.(*OptionError).Lines))
			}
			return
		}
		var again []string
		for _, o := range opts {
			switch {
			case len(o.Spec.Names) == 0:
				again = append(again, "-"+o.Name(), o.Value)
			case o.HasValue:
				again = append(again, "--"+o.Name()+"="+o.Value)
			default:
				again = append(again, "--"+o.Name())
			}
		}
		again = append(append(again, "--"), rest...)
		opts2, rest2, err := Getopt("squeue", squeueLike, again, Permute(permute))
		if err != nil {
			t.Fatalf("%q written as %q: %v", args, again, err)
		}
		if show(opts, nil) != show(opts2, nil) || !slices.Equal(rest, rest2) {
			t.Fatalf("%q written as %q: %s, %s", args, again, show(opts, rest), show(opts2, rest2))
		}
	})
}
