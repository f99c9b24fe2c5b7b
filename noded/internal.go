package noded

import (
	"path/filepath"

	"github.com/runink/rink/noded/launcher"
	"github.com/runink/rink/noded/pmix"
)

// Internal returns what a process the agent starts runs, by the name it is
// started under; false when the name is none of those.
func Internal(name string) (func(args []string) int, bool) {
	switch filepath.Base(name) {
	case "rink-launcher":
		return func(args []string) int { return launcher.Main(args[1:]) }, true
	case pmix.Name:
		return func(args []string) int { return pmix.Main(args[1:]) }, true
	}
	return nil, false
}
