package cli

import (
	"os"

	"golang.org/x/sys/unix"
)

// IsTerminal reports whether a stream of a command is a terminal, at which a person
// reads or types.
func IsTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
