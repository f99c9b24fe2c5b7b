package salloc

import (
	"os"
	"path/filepath"
	"testing"
)

// Installed without Slurm's names beside a real Slurm, the interactive step is ours.
func TestOwnSrun(t *testing.T) {
	program := func(dir, name string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	ours, both, theirs := t.TempDir(), t.TempDir(), t.TempDir()
	rrun, slurms, srun := program(ours, "rrun"), program(theirs, "srun"), program(both, "srun")
	program(both, "rrun")
	t.Setenv("PATH", theirs)
	for _, c := range []struct{ dir, want string }{{ours, rrun}, {both, srun}, {t.TempDir(), slurms}, {"", slurms}} {
		if got := ownSrun(c.dir); got != c.want {
			t.Errorf("ownSrun(%q) = %q, want %q", c.dir, got, c.want)
		}
	}
	t.Setenv("PATH", t.TempDir())
	if got := ownSrun(""); got != "srun" {
		t.Errorf("with none on PATH: %q", got)
	}
}
