package main

import (
	"strings"
	"testing"
)

func TestCount(t *testing.T) {
	for _, c := range []struct{ name, events, want string }{
		{"Nothing", ``, "0 passed, 0 failed, 0 skipped\n"},
		{"LeavesAreCounted", `
			{"Action":"run","Package":"p","Test":"A"}
			{"Action":"run","Package":"p","Test":"A/x"}
			{"Action":"run","Package":"p","Test":"A/y"}
			{"Action":"pass","Package":"p","Test":"A/x"}
			{"Action":"pass","Package":"p","Test":"A/y"}
			{"Action":"pass","Package":"p","Test":"A"}
			{"Action":"output","Package":"p","Output":"PASS\n"}
			{"Action":"pass","Package":"p","Elapsed":1.25}`,
			"ok   p (1.2 s)\n2 passed, 0 failed, 0 skipped\n"},
		{"SkipTellsItsReason", `
			{"Action":"run","Package":"p","Test":"A"}
			{"Action":"output","Package":"p","Test":"A","Output":"=== RUN   A\n"}
			{"Action":"output","Package":"p","Test":"A","Output":"    a_test.go:7: must be root\n"}
			{"Action":"output","Package":"p","Test":"A","Output":"--- SKIP: A (0.00s)\n"}
			{"Action":"skip","Package":"p","Test":"A"}
			{"Action":"pass","Package":"p"}`,
			"ok   p (0.0 s)\nskip p.A: a_test.go:7: must be root\n0 passed, 0 failed, 1 skipped\n"},
		{"FailureIsPrintedOnce", `
			{"Action":"run","Package":"p","Test":"A"}
			{"Action":"run","Package":"p","Test":"A/x"}
			{"Action":"output","Package":"p","Test":"A/x","Output":"=== RUN   A/x\n"}
			{"Action":"output","Package":"p","Test":"A/x","Output":"    got 1\n"}
			{"Action":"fail","Package":"p","Test":"A/x"}
			{"Action":"output","Package":"p","Test":"A","Output":"--- FAIL: A (0.00s)\n"}
			{"Action":"fail","Package":"p","Test":"A"}
			{"Action":"fail","Package":"p","Elapsed":2}`,
			"FAIL p.A/x\n    got 1\n--- FAIL: A (0.00s)\nFAIL p (2.0 s)\n0 passed, 1 failed, 0 skipped\n"},
		{"PackageThatDoesNotBuild", `
			{"ImportPath":"p","Action":"build-output","Output":"p/a.go:3: undefined: x\n"}
			{"ImportPath":"p","Action":"build-fail"}
			{"Action":"output","Package":"p","Output":"FAIL\tp [build failed]\n"}
			{"Action":"fail","Package":"p"}`,
			"p/a.go:3: undefined: x\nFAIL p\nFAIL\tp [build failed]\nFAIL p (0.0 s)\n0 passed, 1 failed, 0 skipped\n"},
		{"PackageThatDies", `
			{"Action":"run","Package":"p","Test":"A"}
			{"Action":"output","Package":"p","Test":"A","Output":"panic: out of it\n"}
			{"Action":"fail","Package":"p"}`,
			"FAIL p\npanic: out of it\nFAIL p (0.0 s)\n0 passed, 1 failed, 0 skipped\n"},
		{"OtherWords", "go: cannot find main module\n", "go: cannot find main module\n0 passed, 0 failed, 0 skipped\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out strings.Builder
			count := newCount(&out)
			if err := count.read(strings.NewReader(strings.TrimLeft(c.events, "\n\t"))); err != nil {
				t.Fatal(err)
			}
			count.summary()
			if got := out.String(); got != c.want {
				t.Errorf("printed\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestRunReportsABadPattern(t *testing.T) {
	var out, errs strings.Builder
	if code := run([]string{"./nosuch"}, &out, &errs); code != 1 {
		t.Errorf("exit status %d, want 1", code)
	}
	if got := out.String(); !strings.HasSuffix(got, "0 passed, 1 failed, 0 skipped\n") {
		t.Errorf("printed %q", got)
	}
}
