package slurm

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

func TestReadSWF(t *testing.T) {
	whole := SWFJob{1, 10, 5, 60, 4, 7.38, 1024, 4, 120, 2048, 1, 3, 2, 9, 1, 0, -1, -1}
	for _, tt := range []struct {
		name, text string
		want       []SWFJob
		err        string
	}{
		{"OK", "; MaxProcs: 8\n\n  1 10\t5 60 4 7.38 1024 4 120 2048 1 3 2 9 1 0 -1 -1\r\n", []SWFJob{whole}, ""},
		{"FractionIsCut", "1 10.9 5 60.5 4 7.38 1024 4.0 1.2e2 2048 1 3 2 9 1 0 -1 -1", []SWFJob{whole}, ""},
		{"ShortLine", "2 0 -1 30 1", []SWFJob{{2, 0, -1, 30, 1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1}}, ""},
		{"CommentBehind", "2 0 -1 30 1\n; end", []SWFJob{{2, 0, -1, 30, 1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1}}, ""},
		{"Empty", "", nil, ""},
		{"ErrTooShort", "; x\n1 2 3 4", nil, `log:2: it has 4 fields, 5 of 18 at least make a job`},
		{"ErrTooLong", strings.Repeat("1 ", 19), nil, `log:1: it has more than 18 fields`},
		{"ErrNumber", "1 2 3 4 5\n1 2 3 x4 5", nil, `log:2: field 4, "x4", is not a number`},
		{"ErrNaN", "1 2 3 NaN 5", nil, `log:1: field 4, "NaN", is not a number`},
		{"ErrHuge", "1 2 3 9999999999999999 5", nil, `log:1: field 4, "9999999999999999", is not a number`},
		{"ErrLine", "1 2 3 4 5\n;" + strings.Repeat("x", 1<<16), nil, `log:2: the line is longer than 65536 bytes`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			log, err := ReadSWF("log", strings.NewReader(tt.text))
			if err != nil || tt.err != "" {
				if err == nil || err.Error() != tt.err {
					t.Fatalf("error %v, want %s", err, tt.err)
				}
				return
			}
			if !reflect.DeepEqual(log.Jobs, tt.want) {
				t.Errorf("jobs %+v, want %+v", log.Jobs, tt.want)
			}
		})
	}
}

func TestSWFHeader(t *testing.T) {
	for text, want := range map[string]int{
		"; MaxNodes: 100\n; MaxProcs: 338 (including I/O)": 338,
		";MaxNodes:128":                       128,
		"; MaxProcs: -1\n;; maxnodes : 64":    64,
		"; Note: none":                        0,
		"; MaxProcs: 99999999999999999999999": 0,
	} {
		log, err := ReadSWF("log", strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if got := log.Processors(); got != want {
			t.Errorf("%q has %d processors, want %d", text, got, want)
		}
	}
	if _, ok := (&SWFLog{Comments: []string{" no key"}}).Header("Version"); ok {
		t.Error("a header that is not there was found")
	}
}

// FuzzReadSWF reads what it wrote and finds the same.
func FuzzReadSWF(f *testing.F) {
	f.Add("; MaxProcs: 8\n1 10 5 60 4 7.38 1024 4 120 2048 1 3 2 9 1 0 -1 -1\n")
	f.Add("1 1e3 -0 .5 4\n;\n")
	f.Add("1 2 3 4 5 -0.0")
	f.Fuzz(func(t *testing.T, text string) {
		log, err := ReadSWF("log", strings.NewReader(text))
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := log.Write(&b); err != nil {
			t.Fatal(err)
		}
		again, err := ReadSWF("log", bytes.NewReader(b.Bytes()))
		if err != nil {
			t.Fatalf("%q is written as %q: %v", text, b.String(), err)
		}
		if !reflect.DeepEqual(again, log) {
			t.Errorf("%+v is read as %+v", log, again)
		}
	})
}
