package pipeline

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"
)

const census = `#!/bin/bash
#RINK --time=5 --comment="a # b" # five minutes
set -eu
out=$PWD/out

#RINK stage split --mem=100M
echo split "$out"
#RINK stage count --array=0-7 --needs=split
#SBATCH --cpus-per-task=2
#RINK -J 'my count'   # a name

echo count
#SBATCH --mem=1G
#RINK stage join --needs split,count --output=report.txt
echo join`

func mustParse(t *testing.T, text string) *Script {
	t.Helper()
	s, err := Parse("pipeline.sh", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestParse(t *testing.T) {
	s := mustParse(t, census)
	if want := census[:strings.Index(census, "#RINK stage split")]; string(s.Head) != want {
		t.Errorf("Head = %q, want %q", s.Head, want)
	}
	want := []Stage{
		{Name: "split", Line: 6, Args: []string{"--mem=100M"}, Body: []byte("echo split \"$out\"\n")},
		{
			Name: "count", Line: 8, Needs: []string{"split"},
			Args: []string{"--array=0-7", "--cpus-per-task=2", "-J", "my count"},
			Body: []byte("#SBATCH --cpus-per-task=2\n#RINK -J 'my count'   # a name\n\necho count\n#SBATCH --mem=1G\n"),
		},
		{Name: "join", Line: 14, Needs: []string{"split", "count"}, Args: []string{"--output=report.txt"}, Body: []byte("echo join")},
	}
	if !reflect.DeepEqual(s.Stages, want) {
		t.Errorf("Stages = %+v\nwant %+v", s.Stages, want)
	}
}

func TestTextKeepsLines(t *testing.T) {
	s := mustParse(t, census)
	lines := strings.Split(census, "\n")
	for _, st := range s.Stages {
		text := strings.Split(string(s.Text(st)), "\n")
		if text[0] != "#!/bin/bash" {
			t.Errorf("%s: first line %q", st.Name, text[0])
		}
		if text[st.Line-1] != "# stage "+st.Name {
			t.Errorf("%s: line %d is %q", st.Name, st.Line, text[st.Line-1])
		}
		for i, line := range text {
			inBody := i >= st.Line
			if (inBody || i < 5) && line != "" && line != lines[i] {
				t.Errorf("%s: line %d is %q, want %q", st.Name, i+1, line, lines[i])
			}
			if i >= 5 && i < st.Line-1 && line != "" {
				t.Errorf("%s: line %d is %q, want it blank", st.Name, i+1, line)
			}
		}
		if len(s.Text(st)) != s.textLen(st) {
			t.Errorf("%s: textLen = %d, want %d", st.Name, s.textLen(st), len(s.Text(st)))
		}
		if HasStages(s.Text(st)) {
			t.Errorf("%s: its job script has stages itself", st.Name)
		}
	}
}

func TestTextRuns(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash: ", err)
	}
	s := mustParse(t, "#!/bin/bash\ngreet() { echo \"$1 on line $LINENO\"; }\n#RINK stage a\ngreet a\n#RINK stage b --needs=a\n\ngreet b; echo $LINENO\n")
	for name, want := range map[string]string{"a": "a on line 2\n", "b": "b on line 2\n7\n"} {
		i := slices.IndexFunc(s.Stages, func(st Stage) bool { return st.Name == name })
		cmd := exec.Command(bash)
		cmd.Stdin = bytes.NewReader(s.Text(s.Stages[i]))
		got, err := cmd.CombinedOutput()
		if err != nil || string(got) != want {
			t.Errorf("stage %s printed %q, %v; want %q", name, got, err, want)
		}
	}
}

func TestHasStages(t *testing.T) {
	for text, want := range map[string]bool{
		"":                                   false,
		"#!/bin/sh\necho hi\n":               false,
		"#!/bin/sh\n#RINK --time=5\n":        false,
		"#!/bin/sh\n#RINK stages a\n":        false,
		"#!/bin/sh\n#RINKstage a\n":          false,
		"#!/bin/sh\n#SBATCH stage a\n":       false,
		"#!/bin/sh\n #RINK stage a\n":        false,
		"#!/bin/sh\necho '#RINK stage a'\n":  false,
		"#!/bin/sh\n#RINK stage a\n":         true,
		"#!/bin/sh\n#RINK\t stage\ta -n1\n":  true,
		"#!/bin/sh\n#RINK stage":             true,
		"#!/bin/sh\n#RINK Stage a\n":         true,
		"#!/bin/sh\necho\n#RINK stage a # x": true,
	} {
		if got := HasStages([]byte(text)); got != want {
			t.Errorf("HasStages(%q) = %v, want %v", text, got, want)
		}
	}
}

func TestParseWithoutStages(t *testing.T) {
	// Whatever sbatch makes of these, Parse leaves to sbatch.
	for _, text := range []string{"", "echo no shebang\n", "#!/bin/sh\r\necho\r\n", "#!/bin/sh\n\x00", "#!/bin/sh\n#SBATCH hetjob\n"} {
		s, err := Parse("x.sh", []byte(text))
		if err != nil || len(s.Stages) != 0 || string(s.Head) != text {
			t.Errorf("Parse(%q) = %+v, %v; want the text as its head and no stages", text, s, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	const sh = "#!/bin/sh\n"
	long := strings.Repeat("x", MaxName+1)
	var many strings.Builder
	many.WriteString(sh)
	for i := range MaxStages + 1 {
		fmt.Fprintf(&many, "#RINK stage s%d\n", i)
	}
	for _, c := range []struct{ name, text, want string }{
		{"UnknownNeed", sh + "#RINK stage join --needs=shards\n", `p.sh:2: stage "join" needs "shards", which is not a stage`},
		{"SelfNeed", sh + "#RINK stage a --needs=a\n", `p.sh:2: stage "a" needs itself`},
		{"Repeated", sh + "#RINK stage a\n\n#RINK stage a\n", `p.sh:4: stage "a" is already on line 2`},
		{"Cycle", sh + "#RINK stage x\n#RINK stage a --needs=b\n#RINK stage b --needs=x,c\n#RINK stage c --needs=a\n", `p.sh:3: stage "a" waits for itself: a needs b needs c needs a`},
		{"CycleToldFromItsFirstStage", sh + "#RINK stage x --needs=c\n#RINK stage b --needs=c\n#RINK stage c --needs=b\n", `p.sh:3: stage "b" waits for itself: b needs c needs b`},
		{"NoName", sh + "#RINK stage\n", `p.sh:2: a stage needs a name: #RINK stage NAME [options] [--needs=a,b]`},
		{"OptionForName", sh + "#RINK stage --needs=a\n", `p.sh:2: "--needs=a" is not a name of a stage (a letter, then letters, digits, _ - .)`},
		{"BadName", sh + "#RINK stage a/b\n", `p.sh:2: "a/b" is not a name of a stage (a letter, then letters, digits, _ - .)`},
		{"NumberForName", sh + "#RINK stage 1\n", `p.sh:2: "1" is not a name of a stage (a letter, then letters, digits, _ - .)`},
		{"EmptyName", sh + "#RINK stage ''\n", `p.sh:2: the name of a stage is empty`},
		{"LongName", sh + "#RINK stage " + long + "\n", `p.sh:2: "xxxxxxxxxxxxxxxxxxxx"... is not a name of a stage: 65 bytes, at most 64`},
		{"EmptyNeed", sh + "#RINK stage a\n#RINK stage b --needs=a,\n", `p.sh:3: stage "b": --needs=a,: the name of a stage is empty`},
		{"NoNeed", sh + "#RINK stage b --needs=\n", `p.sh:2: stage "b": --needs=: the name of a stage is empty`},
		{"NeedsWithoutValue", sh + "#RINK stage b --needs\n", `p.sh:2: stage "b": --needs wants the names of stages`},
		{"NeedsInHead", sh + "#RINK --needs=a\n#RINK stage a\n", `p.sh:2: --needs stands on a stage's own line alone`},
		{"NeedsInDirective", sh + "#RINK stage a\n#RINK stage b\n#SBATCH --needs=a\n", `p.sh:4: --needs stands on a stage's own line alone`},
		{"WrongCase", sh + "#RINK stage a\n#RINK Stage b\n", `p.sh:3: "Stage" is not a directive (want stage)`},
		{"OpenQuote", sh + "#RINK stage a --comment=\"x\n", `p.sh:2: the quote " is not closed`},
		{"OpenQuoteInHead", sh + "#SBATCH --comment='x\n#RINK stage a\n", `p.sh:2: the quote ' is not closed`},
		{"Continuation", sh + "#RINK stage a \\\n  --needs=b\n", `p.sh:2: the line ends in a backslash; directives have no continuation lines`},
		{"NUL", sh + "#RINK stage a\necho \x00\n", `p.sh:3: the script contains a NUL byte`},
		{"DOS", sh + "#RINK stage a\r\n", `p.sh:2: the line ends in a DOS line break (\r\n) instead of a UNIX one (\n)`},
		{"NoInterpreter", "#RINK stage a\necho\n", `p.sh:1: the script does not begin with #! and the path of an interpreter`},
		{"HeterogeneousHead", sh + "#SBATCH -n1\n#SBATCH hetjob\n#RINK stage a\n", `p.sh:3: a stage cannot be a heterogeneous job`},
		{"HeterogeneousStage", sh + "#RINK stage a\n#RINK packjob\n", `p.sh:3: a stage cannot be a heterogeneous job`},
		{"ManyStages", many.String(), fmt.Sprintf(`p.sh:%d: stage "s%d" is one more than the %d a script may have`, MaxStages+2, MaxStages, MaxStages)},
		{"LongScript", sh + strings.Repeat("#\n", MaxScript/2) + "#RINK stage a\n", fmt.Sprintf(`p.sh:1: the script has %d bytes, more than the %d a script may have`, len(sh)+MaxScript+14, MaxScript)},
		{"LongArgs", sh + "#RINK stage a --comment=" + strings.Repeat("y", MaxArgs) + "\n", fmt.Sprintf(`p.sh:2: stage "a" has more than %d bytes of options`, MaxArgs)},
		{"LongHeadInEachStage", sh + strings.Repeat("#"+strings.Repeat("z", 1023)+"\n", 3<<10) + "#RINK stage a\n#RINK stage b\n#RINK stage c\n#RINK stage d\n#RINK stage e\n#RINK stage f\n", fmt.Sprintf(`p.sh:3079: with stage "f" the stages' scripts, the head in each, have more than %d bytes`, MaxText)},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := Parse("p.sh", []byte(c.text))
			if err == nil {
				t.Fatalf("Parse accepted it: %+v", s.Stages)
			}
			if err.Error() != c.want {
				t.Errorf("Parse: %v\nwant   %v", err, c.want)
			}
			if e := (*Error)(nil); !errors.As(err, &e) || e.Script != "p.sh" {
				t.Errorf("%#v is not an *Error", err)
			}
		})
	}
}

func TestOrder(t *testing.T) {
	s := mustParse(t, "#!/bin/sh\n#RINK stage report --needs=join,plot\n#RINK stage join --needs=count\n#RINK stage split\n"+
		"#RINK stage count --needs=split,split\n#RINK stage plot --needs=join\n#RINK stage alone\n")
	var names []string
	order := s.Order()
	for _, i := range order {
		names = append(names, s.Stages[i].Name)
	}
	if want := []string{"split", "count", "join", "plot", "report", "alone"}; !slices.Equal(names, want) {
		t.Errorf("Order = %v, want %v", names, want)
	}
	if got, want := s.Needs(order), [][]int{nil, {0}, {1}, {2}, {2, 3}, nil}; !reflect.DeepEqual(got, want) {
		t.Errorf("Needs = %v, want %v", got, want)
	}
	if got, want := s.Needs([]int{0, 1, 2, 3, 4, 5}), [][]int{{1, 4}, {3}, nil, {2}, {1}, nil}; !reflect.DeepEqual(got, want) {
		t.Errorf("Needs in the script's order = %v, want %v", got, want)
	}
}

func TestWords(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
	}{
		{"", nil},
		{"  \t ", nil},
		{" -n 4 --mem=1G ", []string{"-n", "4", "--mem=1G"}},
		{` --comment="a  b" -J 'c"d'`, []string{"--comment=a  b", "-J", `c"d`}},
		{` a\ b "c\"d" 'e\f' "" ''`, []string{"a b", `c"d`, `e\f`, "", ""}},
		{` -n4 # a comment "not closed`, []string{"-n4"}},
		{` --comment=a#b -n4`, []string{"--comment=a"}},
		{` --comment='a#b' c\#d`, []string{"--comment=a#b", "c#d"}},
	} {
		got, err := words(c.text)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("words(%q) = %q, %v; want %q", c.text, got, err, c.want)
		}
	}
}

// A script that Parse accepts is put together again from its parts; its order
// is one in which needs come first; its job scripts keep lines and are no
// pipelines themselves.
func FuzzParse(f *testing.F) {
	f.Add([]byte(census))
	f.Add([]byte("#!/bin/sh\n#RINK stage a\n#RINK stage b --needs=a\n#RINK stage c --needs=b,a\n"))
	f.Add([]byte("#!/bin/sh\n#RINK stage a --needs=b\n#RINK stage b --needs=a\n"))
	f.Add([]byte("#!/bin/sh\n#RINK stage a 'x y' \"\\\"\" \\  #\n#SBATCH -n 4\necho\n"))
	f.Add([]byte("#RINK stage"))
	f.Add([]byte("#!/bin/sh\n#RINK stage #\n"))
	f.Fuzz(func(t *testing.T, script []byte) {
		s, err := Parse("x", script)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Line < 1 || e.Line > 1+bytes.Count(script, []byte("\n")) {
				t.Fatalf("%v: not a line of the script", err)
			}
			return
		}
		if got := len(s.Stages) > 0; got != HasStages(script) {
			t.Fatalf("stages: %v, HasStages: %v", got, !got)
		}
		lines := slices.Collect(bytes.Lines(script))
		again := slices.Clone(s.Head)
		for _, st := range s.Stages {
			again = append(append(again, lines[st.Line-1]...), st.Body...)
		}
		if !bytes.Equal(again, script) {
			t.Fatalf("parts make %q of %q", again, script)
		}
		order := s.Order()
		if len(order) != len(s.Stages) {
			t.Fatalf("order %v of %d stages", order, len(s.Stages))
		}
		for pos, needs := range s.Needs(order) {
			for _, n := range needs {
				if n >= pos {
					t.Fatalf("order %v: %d needs %d", order, pos, n)
				}
			}
		}
		for _, st := range s.Stages {
			text := s.Text(st)
			if !bytes.HasPrefix(text, []byte("#!")) || !bytes.HasSuffix(text, st.Body) || HasStages(text) {
				t.Fatalf("stage %s: job script %q", st.Name, text)
			}
			if at := bytes.Count(text[:len(text)-len(st.Body)], []byte("\n")); at != st.Line {
				t.Fatalf("stage %s: body begins on line %d, want %d", st.Name, at+1, st.Line+1)
			}
		}
	})
}
