// Command rink-launcher is the launcher of a node as an executable of its own. The one
// executable, rink, is the launcher as well when it is called so; but what it
// links besides stays in memory on every node for as long as jobs run, which is
// four times what the launcher needs.
package main

import (
	"os"

	"github.com/runink/rink/noded/launcher"
)

func main() { os.Exit(launcher.Main(os.Args[1:])) }
