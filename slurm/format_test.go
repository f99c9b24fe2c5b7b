package slurm

import (
	"slices"
	"strings"
	"testing"
)

func TestParseLetters(t *testing.T) {
	i := func(spec, after string, width int, right bool) LetterPiece {
		return LetterPiece{Letter: 'i', Spec: spec, After: after, Width: width, Right: right}
	}
	for in, want := range map[string][]LetterPiece{
		"":                       nil,
		"%i":                     {i("%i", "", 0, false)},
		"%%i":                    {i("%i", "", 0, false)},
		"%%%i":                   {i("%i", "", 0, false)},
		"%i%%":                   {i("%i", "", 0, false)},
		"100%":                   {{After: "100"}},
		"a%%b%i":                 {{After: "a"}, {Letter: 'b', Spec: "%b"}, i("%i", "", 0, false)},
		" %i ":                   {{After: " "}, i("%i ", " ", 0, false)},
		"%.18i %i":               {i("%.18i ", " ", 18, true), i("%i", "", 0, false)},
		"%005i|":                 {i("%005i|", "|", 5, false)},
		"%.i":                    {i("%.i", "", 0, true)},
		"%0i":                    {i("%0i", "", 0, false)},
		"%5":                     {{Spec: "%5", Width: 5}},
		"%.":                     {{Spec: "%.", Right: true}},
		"%-5i|":                  {{Spec: "%-5i|", Letter: '-', After: "5i|"}},
		"%..5i":                  {{Spec: "%..5i", Letter: '.', After: "5i", Right: true}},
		"%5.i":                   {{Spec: "%5.i", Letter: '.', After: "i", Width: 5}},
		"{\"a\":%i}\x1f^^^":      {{After: "{\"a\":"}, i("%i}\x1f^^^", "}\x1f^^^", 0, false)},
		"%99999999999999999999i": {i("%99999999999999999999i", "", maxWidth, false)},
	} {
		if got := ParseLetters(in); !slices.Equal(got, want) {
			t.Errorf("ParseLetters(%q) = %+v, want %+v", in, got, want)
		}
	}
}

func TestParseNames(t *testing.T) {
	for in, want := range map[string][]NameField{
		"":                      nil,
		"jobid":                 {{Name: "jobid", Width: 20}},
		"jobid:":                {{Name: "jobid"}},
		"jobid:.":               {{Name: "jobid", Right: true}},
		"jobid:.5":              {{Name: "jobid", Width: 5, Right: true}},
		"jobid:10 ":             {{Name: "jobid", Width: 10, After: " "}},
		"jobid: ":               {{Name: "jobid", After: " "}},
		"jobid:5|,name:.6#":     {{Name: "jobid", Width: 5, After: "|"}, {Name: "name", Width: 6, Right: true, After: "#"}},
		"JobID,":                {{Name: "JobID", Width: 20}},
		",jobid,,name":          {{Name: "jobid", Width: 20}, {Name: "name", Width: 20}},
		"jobid:5.":              {{Name: "jobid", Width: 5, After: "."}},
		"jobid:0":               {{Name: "jobid"}},
		"jobid:###turm###,n:":   {{Name: "jobid", After: "###turm###"}, {Name: "n"}},
		"jobid:::":              {{Name: "jobid", After: "::"}},
		"jobid:\x1f,name":       {{Name: "jobid", After: "\x1f"}, {Name: "name", Width: 20}},
		"jobid:10:5":            {{Name: "jobid", Width: 10, After: ":5"}},
		" jobid":                {{Name: " jobid", Width: 20}},
		"reasonlist:0 ,cpus:4 ": {{Name: "reasonlist", After: " "}, {Name: "cpus", Width: 4, After: " "}},
	} {
		if got := ParseNames(in); !slices.Equal(got, want) {
			t.Errorf("ParseNames(%q) = %+v, want %+v", in, got, want)
		}
	}
}

func TestPad(t *testing.T) {
	for _, c := range []struct {
		value string
		width int
		right bool
		want  string
	}{{"abc", 0, false, "abc"}, {"abc", 5, false, "abc  "}, {"abc", 5, true, "  abc"}, {"abc", 2, true, "ab"}, {"abc", 3, false, "abc"}, {"äöü", 2, false, "äö"}, {"äöü", 4, true, " äöü"}} {
		if got := Pad(c.value, c.width, c.right); got != c.want {
			t.Errorf("Pad(%q, %d, %v) = %q, want %q", c.value, c.width, c.right, got, c.want)
		}
	}
	for _, c := range []struct {
		value string
		width int
		left  bool
		want  string
	}{{"abc", 0, false, "abc"}, {"abc", 5, false, "  abc"}, {"abc", 5, true, "abc  "}, {"CANCELLED by 3001", 10, false, "CANCELLED+"}, {"ab", 1, true, "+"}} {
		if got := PadAcct(c.value, c.width, c.left); got != c.want {
			t.Errorf("PadAcct(%q, %d, %v) = %q, want %q", c.value, c.width, c.left, got, c.want)
		}
	}
}

func TestParseAcctFields(t *testing.T) {
	got, err := ParseAcctFields("JobID%20, State,user%-256,,account%0")
	want := []AcctField{{Name: "JobID", Width: 20}, {Name: "State"}, {Name: "user", Width: 256, Left: true}, {Name: "account"}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err := ParseAcctFields("JobID%,JobID%x,State%-5x,State%3.4"); err != nil || !slices.Equal(got, []AcctField{{Name: "JobID"}, {Name: "JobID"}, {Name: "State", Width: 5, Left: true}, {Name: "State", Width: 3}}) {
		t.Errorf("widths with something behind them: got %+v, %v", got, err)
	}
	for _, in := range []string{"%5", "JobID%99999999"} {
		if got, err := ParseAcctFields(in); err == nil {
			t.Errorf("ParseAcctFields(%q) = %+v, want it refused", in, got)
		}
	}
}

func TestParseSort(t *testing.T) {
	got := ParseSort("P,-t,+p,, -start ,-")
	want := []SortKey{{"P", false}, {"t", true}, {"p", false}, {"start", true}}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v", got)
	}
}

func FuzzFormats(f *testing.F) {
	f.Add("%.18i %9P%%x", "jobid:10 ,name")
	f.Fuzz(func(t *testing.T, letters, names string) {
		var back strings.Builder
		pieces := ParseLetters(letters)
		for _, p := range pieces {
			back.WriteString(p.String())
		}
		if again := ParseLetters(back.String()); !slices.Equal(again, pieces) {
			t.Fatalf("%q prints as %q, which reads as %+v", letters, back.String(), again)
		}
		for _, n := range ParseNames(names) {
			if !strings.Contains(names, n.Name) || n.Width < 0 || n.Width > maxWidth {
				t.Fatalf("%q has %+v", names, n)
			}
		}
	})
}

func TestAcctKinds(t *testing.T) {
	for _, c := range []struct {
		kind  AcctKind
		value string
		width int
		left  bool
		want  string
	}{
		{AcctText, "COMPLETED", 3, false, "CO+"}, {AcctNumber, "3001", 3, false, "3001"}, {AcctNumber, "31", 3, true, "31 "}, {AcctNumber, "31", 3, false, " 31"},
		{AcctMoment, "2026-11-29T12:00:00", 4, false, "2026"}, {AcctMoment, "Unknown", 3, false, "Unk"}, {AcctReal, "0.500000", 5, false, "5.000000e-01"},
		{AcctReal, "0.500000", 8, false, "0.500000"}, {AcctReal, "parent", 3, false, "parent"}, {AcctNumber, "3001", 0, false, "3001"},
	} {
		if got := c.kind.Pad(c.value, c.width, c.left); got != c.want {
			t.Errorf("%s in %d: %q, want %q", c.value, c.width, got, c.want)
		}
	}
}
