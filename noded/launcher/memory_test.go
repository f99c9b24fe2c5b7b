package launcher

import (
	"os"
	"slices"
	"testing"
)

func TestCleanMaps(t *testing.T) {
	const maps = `00400000-00401000 r-xp 00000000 fe:00 12 /bin/a b
Rss:                   4 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me
00401000-00403000 r--p 00001000 fe:00 12 /bin/a b
Anonymous:             4 kB
00403000-00404000 rw-p 00003000 fe:00 12 /bin/a b
Anonymous:             0 kB
00404000-00405000 r--p 00003000 fe:00 12 /bin/other
Anonymous:             0 kB
00405000-00406000 r--p 00003000 fe:00 12 /bin/a b
Anonymous:             0 kB
7f0000000000-7f0000001000 r-xp 00000000 00:00 0
Anonymous:             0 kB
`
	if got, want := cleanMaps(maps, "/bin/a b"), [][2]uintptr{{0x400000, 0x401000}, {0x405000, 0x406000}}; !slices.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
	// And this process is as it was, however it is linked.
	exe, _ := os.Readlink("/proc/self/exe")
	own, _ := os.ReadFile("/proc/self/smaps")
	if len(cleanMaps(string(own), exe)) == 0 {
		t.Error("nothing of this process's own program is clean")
	}
	trim()
	for range 100 {
		_ = slices.Sorted(slices.Values(os.Environ()))
	}
}
