package submit

import (
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// TestUmaskIsLeftAlone reads the mask while somebody else looks at it: nobody may see
// another meanwhile.
func TestUmaskIsLeftAlone(t *testing.T) {
	old := unix.Umask(0o027)
	defer unix.Umask(old)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 2000 {
				if mask := Umask(); mask != 0o027 {
					t.Errorf("%04o", mask)
					return
				}
			}
		})
	}
	all.Wait()
}
