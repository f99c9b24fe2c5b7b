package cli

import (
	"strings"
	"testing"
)

// As a real Slurm has it: a name that is none's is told, and the others are asked.
func TestOnCluster(t *testing.T) {
	gone := func(name string) string { return "squeue: error: No cluster '" + name + "' known by database.\n" }
	none := func(list string) string {
		return "squeue: error: '" + list + "' can't be reached now, or it is an invalid entry for --cluster.  Use 'sacctmgr list clusters' to see available clusters.\n"
	}
	for list, want := range map[string]string{
		"ref": "", "REF": "", "all": "", "ref,b": gone("b"), "b,ref,c": gone("b") + gone("c"),
		"b": gone("b") + none("b"), "b,c": gone("b") + gone("c") + none("b,c"), "": gone("") + none(""), ",": gone("") + none(","),
	} {
		var said strings.Builder
		here := OnCluster(&Env{Name: "squeue", Stderr: &said}, "ref", list)
		if said.String() != want || here == strings.Contains(want, "can't be reached") || here != HasCluster(list, "ref") {
			t.Errorf("--clusters=%s: %v, %q", list, here, said.String())
		}
	}
}
