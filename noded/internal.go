package noded

import (
	"path/filepath"

	"github.com/runink/rink/noded/launcher"
)

// Internal returns what a process the agent starts runs, by the name it is
// started under; false when the name is none of those.
func Internal(name string) (func(args []string) int, bool) {
	if filepath.Base(name) == "rink-launcher" {
		return func(args []string) int { return launcher.Main(args[1:]) }, true
	}
	return nil, false
}
