package slice

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// answering listens on an address of the machine that a private network reaches
// by way of its gate, and says hello.
func answering(t *testing.T) (port string) {
	t.Helper()
	l, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() { // stops with the listener
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprintln(c, "hello")
			c.Close()
		}
	}()
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return port
}

// dial has a slice connect to an address, and returns what it said.
func dial(t *testing.T, h *Host, dir string, n *Network, to string) string {
	t.Helper()
	s := shell("", filepath.Join(dir, "out"))
	os.Remove(filepath.Join(dir, "out"))
	s.Namespaces.Net, s.Network = true, n
	s.Tasks[0].Argv = []string{filepath.Join(dir, "hostile")}
	s.Tasks[0].Env = append(s.Tasks[0].Env, "RINK_HOSTILE=dial", "RINK_VICTIM="+to)
	text, _ := run(t, h, s)
	return text
}

func TestPrivateNetwork(t *testing.T) {
	needRoot(t)
	h := testHost(t)
	dir := openDir(t)
	self, err := os.ReadFile("/proc/self/exe")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "hostile"), self, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	port := answering(t)
	forwards, _ := os.ReadFile("/proc/sys/net/ipv4/ip_forward")
	t.Cleanup(func() { os.WriteFile("/proc/sys/net/ipv4/ip_forward", forwards, 0) })
	from := netip.MustParsePrefix("100.127.64.0/20")
	n := &Network{Range: from}
	one, err := h.makeNetSpace(n)
	if err != nil {
		if strings.Contains(err.Error(), unix.EOPNOTSUPP.Error()) || strings.Contains(err.Error(), unix.EPROTONOSUPPORT.Error()) {
			t.Skipf("this kernel has no links or no nftables: %v", err)
		}
		t.Fatal(err)
	}
	one.file.Close()
	h.nets.free(one.slot)

	if got := dial(t, h, dir, nil, "127.0.0.1:"+port); strings.Contains(got, "hello") {
		t.Errorf("no network reaches the machine: %s", got)
	}
	for what, c := range map[string]struct {
		allow []Destination
		to    string
		want  string
	}{
		"AnywhereIsEverywhere": {nil, "gate:" + port, "hello"},
		"ItsDestination":       {[]Destination{{To: netip.MustParsePrefix("100.127.64.0/20")}}, "gate:" + port, "hello"},
		"AnotherDestination":   {[]Destination{{To: netip.MustParsePrefix("192.0.2.0/24")}}, "gate:" + port, "refused"},
		"ItsPort":              {[]Destination{{netip.MustParsePrefix("100.127.64.0/20"), atoi(port)}}, "gate:" + port, "hello"},
		"AnotherPort":          {[]Destination{{netip.MustParsePrefix("100.127.64.0/20"), 1}}, "gate:" + port, "refused"},
		"NotTheLoopback":       {nil, "127.0.0.1:" + port, "refused"},
	} {
		n := &Network{Range: from, Allow: c.allow}
		got := dial(t, h, dir, n, c.to)
		if !strings.Contains(got, c.want) {
			t.Errorf("%s: %s, want %s", what, got, c.want)
		}
		if addrs := strings.Fields(got); len(addrs) == 0 || !from.Contains(netip.MustParseAddr(addrs[0])) {
			t.Errorf("%s: its address: %s", what, got)
		}
	}
}

func atoi(s string) uint16 {
	var n uint16
	fmt.Sscan(s, &n)
	return n
}
