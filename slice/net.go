package slice

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Network is a network of the slice's own that reaches others through the
// machine, by way of which it is routed and takes the machine's address. The
// slice has an address out of Range and nothing can be sent from it but to
// Allow; what comes back is let in, and nothing else is. Slices do not reach
// each other, unless Allow says so of Range.
type Network struct {
	Range netip.Prefix // IPv4; four addresses of it are a slice's
	Allow []Destination
}

// Destination is where a private network may send to: addresses and, unless it
// is 0, one port of TCP and UDP.
type Destination struct {
	To   netip.Prefix
	Port uint16
}

func (n *Network) validate() error {
	if !n.Range.Addr().Is4() || n.Range != n.Range.Masked() || n.Range.Bits() > 28 {
		return invalid("%s is not a range of networks", n.Range)
	}
	for _, d := range n.Allow {
		if !d.To.Addr().Is4() || d.To != d.To.Masked() {
			return invalid("%s is not a destination", d.To)
		}
	}
	return nil
}

// key names networks that are alike.
func (n *Network) key() string {
	if n == nil {
		return ""
	}
	return fmt.Sprint(*n)
}

// netSpace is a network namespace, with nothing but loopback or with a Network.
type netSpace struct {
	file *os.File
	slot uint32 // of its Range, from 1; 0: none
}

// netSpaces are those made ahead, which takes longer than all else about a
// slice, by what they are.
type netSpaces struct {
	mu     sync.Mutex // guards what follows
	ready  map[string][]netSpace
	making map[string]bool
	used   map[uint32]bool // slots
	last   uint32          // the slot that was taken last
	ended  bool
	work   sync.WaitGroup        // those that make them
	hostMu sync.Mutex            // held while the machine's own side is set up
	passed map[netip.Prefix]bool // ranges of which the machine passes packets on; guarded by hostMu
}

// maxNetSpaces is how many are kept of a kind.
const maxNetSpaces = 6

// netSpace returns a network namespace for a slice, the caller's to close and
// then to free.
func (h *Host) netSpace(n *Network) (netSpace, error) {
	s, key := &h.nets, n.key()
	s.mu.Lock()
	var one netSpace
	if list := s.ready[key]; len(list) > 0 {
		one, s.ready[key] = list[len(list)-1], list[:len(list)-1]
	}
	if !s.ended && !s.making[key] && len(s.ready[key]) < maxNetSpaces/2 {
		if s.making == nil {
			s.making, s.ready = map[string]bool{}, map[string][]netSpace{}
		}
		s.making[key] = true
		s.work.Go(func() { h.fillNetSpaces(n, key) }) // stops when there are enough
	}
	s.mu.Unlock()
	if one.file != nil {
		return one, nil
	}
	return h.makeNetSpace(n)
}

func (h *Host) fillNetSpaces(n *Network, key string) {
	s := &h.nets
	for {
		s.mu.Lock()
		if s.ended || len(s.ready[key]) >= maxNetSpaces {
			s.making[key] = false
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		one, err := h.makeNetSpace(n)
		s.mu.Lock()
		if err != nil { // a slice that meets the same will say why
			s.making[key] = false
			s.mu.Unlock()
			return
		}
		s.ready[key] = append(s.ready[key], one)
		s.mu.Unlock()
	}
}

// free lets somebody else have the addresses of a network that is gone.
func (s *netSpaces) free(slot uint32) {
	if slot == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.used, slot)
}

// closeNets lets go of what was made ahead, and takes back what was changed on
// the machine but that it passes packets on, which others may rely on by now.
func (h *Host) closeNets() {
	s := &h.nets
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	s.work.Wait()
	for _, list := range s.ready {
		for _, one := range list {
			one.file.Close()
		}
	}
	s.ready = nil
	if len(s.passed) == 0 {
		return
	}
	c, err := nftables.New()
	if err != nil {
		return
	}
	for from := range s.passed {
		c.DelTable(&nftables.Table{Family: nftables.TableFamilyIPv4, Name: h.rangeTable(from)})
	}
	c.Flush()
}

// slot takes four addresses that nobody has here. They go round, from anywhere,
// so that an address is not somebody else's while others still remember it.
func (s *netSpaces) slot(n *Network) (uint32, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used == nil {
		s.used, s.last = map[uint32]bool{}, rand.Uint32()
	}
	slots := uint32(1) << min(30-n.Range.Bits(), 24)
	for range slots - 1 {
		s.last++
		if at := s.last%(slots-1) + 1; !s.used[at] {
			s.used[at] = true
			return at, true
		}
	}
	return 0, false
}

// makeNetSpace makes a network namespace, on a thread that enters it and comes
// back.
func (h *Host) makeNetSpace(n *Network) (netSpace, error) {
	type result struct {
		one netSpace
		err error
	}
	done := make(chan result, 1)
	go func() { // stops at once; its thread is given up if it cannot come back
		runtime.LockOSThread()
		one, err, back := h.insideNetSpace(n)
		if back {
			runtime.UnlockOSThread()
		}
		done <- result{one, err}
	}()
	r := <-done
	return r.one, r.err
}

func netError(what string, err error) *StartError {
	se := &StartError{Stage: StageNetwork, Task: -1, Detail: what}
	if !errors.As(err, &se.Errno) {
		se.Detail = what + ": " + err.Error()
	}
	return se
}

func (h *Host) insideNetSpace(n *Network) (one netSpace, err error, back bool) {
	const own = "/proc/thread-self/ns/net"
	outside, err := os.Open(own)
	if err != nil {
		return one, netError("cannot find this network", err), true
	}
	defer outside.Close()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return one, &StartError{Stage: StageNamespace, Path: "net", Task: -1, Errno: err.(syscall.Errno)}, true
	}
	fail := func(what string, e error) (netSpace, error, bool) {
		if one.file != nil {
			one.file.Close()
		}
		h.nets.free(one.slot)
		return netSpace{}, netError(what, e), unix.Setns(int(outside.Fd()), unix.CLONE_NEWNET) == nil
	}
	if one.file, err = os.Open(own); err != nil {
		return fail("cannot hold a network", err)
	}
	if err := upLoopback(); err != nil {
		return fail("cannot bring up lo", err)
	}
	if n == nil {
		return one, nil, unix.Setns(int(outside.Fd()), unix.CLONE_NEWNET) == nil
	}
	inside, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return fail("cannot set up a network", err)
	}
	defer inside.Close()
	link, hostSide, err := h.veth(inside, n, &one, int(outside.Fd()))
	if err != nil {
		return fail("cannot make a link", err)
	}
	gate, addr := n.addresses(one.slot)
	if err := inside.AddrAdd(link, &netlink.Addr{IPNet: ipNet(netip.PrefixFrom(addr, 30))}); err != nil {
		return fail("cannot give an address", err)
	}
	if err := inside.LinkSetUp(link); err != nil {
		return fail("cannot bring up a link", err)
	}
	if err := fenceNet(int(one.file.Fd()), n); err != nil {
		return fail("cannot fence destinations", err)
	}
	if err := unix.Setns(int(outside.Fd()), unix.CLONE_NEWNET); err != nil {
		one.file.Close()
		h.nets.free(one.slot)
		return netSpace{}, netError("cannot come back", err), false
	}
	if err := h.outerSide(n, hostSide, gate); err != nil {
		one.file.Close()
		h.nets.free(one.slot)
		return netSpace{}, netError("cannot set up the machine's side", err), true
	}
	// The route needs the other side to be up.
	route := &netlink.Route{LinkIndex: link.Attrs().Index, Gw: net.IP(gate.AsSlice())}
	if err := inside.RouteAdd(route); err != nil {
		one.file.Close()
		h.nets.free(one.slot)
		return netSpace{}, netError("cannot set up a route", err), true
	}
	return one, nil, true
}

// addresses are those of the two ends of a slot.
func (n *Network) addresses(slot uint32) (gate, addr netip.Addr) {
	b := n.Range.Addr().As4()
	base := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	at := func(v uint32) netip.Addr {
		return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
	}
	return at(base + slot*4 + 1), at(base + slot*4 + 2)
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: net.IP(p.Addr().AsSlice()), Mask: net.CIDRMask(p.Bits(), 32)}
}

// hostLinks is the front of the names of the machine's ends.
const hostLinks = "rink"

// veth makes the two ends. The machine's is named by the slot, so that another
// launcher on the machine, or what one has left, is noticed and passed over.
func (h *Host) veth(inside *netlink.Handle, n *Network, one *netSpace, outside int) (link netlink.Link, hostSide string, err error) {
	for range 1000 {
		slot, ok := h.nets.slot(n)
		if !ok {
			break
		}
		_, addr := n.addresses(slot)
		b := addr.As4()
		hostSide = fmt.Sprintf("%s%02x%02x%02x%02x", hostLinks, b[0], b[1], b[2], b[3])
		attrs := netlink.NewLinkAttrs()
		attrs.Name = "eth0"
		err = inside.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: hostSide, PeerNamespace: netlink.NsFd(outside)})
		if errors.Is(err, unix.EEXIST) {
			h.nets.free(slot)
			continue
		}
		if one.slot = slot; err != nil {
			return nil, "", err
		}
		link, err = inside.LinkByName("eth0")
		return link, hostSide, err
	}
	return nil, "", fmt.Errorf("all addresses of %s are in use", n.Range)
}

// fenceNet lets out of a network what is for its destinations and what answers,
// and lets in what answers alone.
func fenceNet(space int, n *Network) error {
	c, err := nftables.New(nftables.WithNetNSFd(space))
	if err != nil {
		return err
	}
	table := c.AddTable(&nftables.Table{Family: nftables.TableFamilyINet, Name: "rink"})
	drop := nftables.ChainPolicyDrop
	chain := func(name string, hook *nftables.ChainHook) *nftables.Chain {
		return c.AddChain(&nftables.Chain{Name: name, Table: table, Type: nftables.ChainTypeFilter, Hooknum: hook,
			Priority: nftables.ChainPriorityFilter, Policy: &drop})
	}
	accept := func(to *nftables.Chain, exprs ...expr.Any) {
		c.AddRule(&nftables.Rule{Table: table, Chain: to, Exprs: append(exprs, &expr.Verdict{Kind: expr.VerdictAccept})})
	}
	in, out := chain("input", nftables.ChainHookInput), chain("output", nftables.ChainHookOutput)
	accept(in, ifName(expr.MetaKeyIIFNAME, expr.CmpOpEq, "lo")...)
	accept(out, ifName(expr.MetaKeyOIFNAME, expr.CmpOpEq, "lo")...)
	answers := []expr.Any{
		&expr.Ct{Key: expr.CtKeySTATE, Register: 1},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Xor: make([]byte, 4),
			Mask: binaryutil.NativeEndian.PutUint32(expr.CtStateBitESTABLISHED | expr.CtStateBitRELATED)},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: make([]byte, 4)},
	}
	accept(in, answers...)
	accept(out, answers...)
	all := n.Allow
	if len(all) == 0 {
		all = []Destination{{To: netip.MustParsePrefix("0.0.0.0/0")}}
	}
	for _, d := range all {
		to := []expr.Any{&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{unix.NFPROTO_IPV4}}}
		if bits := d.To.Bits(); bits > 0 {
			to = append(to, &expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: 16, Len: 4},
				&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: net.CIDRMask(bits, 32), Xor: make([]byte, 4)},
				&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: d.To.Addr().AsSlice()})
		}
		if d.Port == 0 {
			accept(out, to...)
			continue
		}
		for _, proto := range []byte{unix.IPPROTO_TCP, unix.IPPROTO_UDP} {
			accept(out, append(to[:len(to):len(to)], &expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
				&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{proto}},
				&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
				&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binaryutil.BigEndian.PutUint16(d.Port)})...)
		}
	}
	// Said at once, not left to a timeout.
	c.AddRule(&nftables.Rule{Table: table, Chain: out, Exprs: []expr.Any{&expr.Reject{Type: unix.NFT_REJECT_ICMPX_UNREACH, Code: unix.NFT_REJECT_ICMPX_ADMIN_PROHIBITED}}})
	return c.Flush()
}

// ifName compares the name of an interface; one that ends in * its front.
func ifName(key expr.MetaKey, op expr.CmpOp, name string) []expr.Any {
	data := make([]byte, unix.IFNAMSIZ)
	copy(data, name)
	if front, ok := strings.CutSuffix(name, "*"); ok {
		data = []byte(front)
	}
	return []expr.Any{&expr.Meta{Key: key, Register: 1}, &expr.Cmp{Op: op, Register: 1, Data: data}}
}

// outerSide brings up the machine's end of a link and has the machine pass on
// what comes from it, under its own address.
func (h *Host) outerSide(n *Network, name string, gate netip.Addr) error {
	handle, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer handle.Close()
	link, err := handle.LinkByName(name)
	if err != nil {
		return err
	}
	if err := handle.AddrAdd(link, &netlink.Addr{IPNet: ipNet(netip.PrefixFrom(gate, 30))}); err != nil {
		return err
	}
	if err := handle.LinkSetUp(link); err != nil {
		return err
	}
	h.nets.hostMu.Lock()
	defer h.nets.hostMu.Unlock()
	if h.nets.passed[n.Range] {
		return nil
	}
	if err := h.passOn(n.Range); err != nil {
		return err
	}
	if h.nets.passed == nil {
		h.nets.passed = map[netip.Prefix]bool{}
	}
	h.nets.passed[n.Range] = true
	return nil
}

// passOn is the machine's part, once for each range: addresses that are none of
// its network's are changed to its own.
func (h *Host) passOn(from netip.Prefix) error {
	if err := writeValue("/proc/sys/net/ipv4/ip_forward", "1"); err != nil {
		return fmt.Errorf("cannot have the machine pass packets on: %w", err)
	}
	c, err := nftables.New()
	if err != nil {
		return err
	}
	name := h.rangeTable(from)
	if tables, err := c.ListTablesOfFamily(nftables.TableFamilyIPv4); err == nil {
		for _, t := range tables {
			if t.Name == name {
				return nil
			}
		}
	}
	table := c.AddTable(&nftables.Table{Family: nftables.TableFamilyIPv4, Name: name})
	chain := c.AddChain(&nftables.Chain{Name: "postrouting", Table: table, Type: nftables.ChainTypeNAT, Hooknum: nftables.ChainHookPostrouting,
		Priority: nftables.ChainPriorityNATSource})
	c.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: append(append([]expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: 12, Len: 4},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: net.CIDRMask(from.Bits(), 32), Xor: make([]byte, 4)},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: from.Addr().AsSlice()},
	}, ifName(expr.MetaKeyOIFNAME, expr.CmpOpNeq, hostLinks+"*")...), &expr.Masq{})})
	return c.Flush()
}

// rangeTable names the table of a range: each launcher of a machine has its own.
func (h *Host) rangeTable(from netip.Prefix) string {
	return strings.ReplaceAll(h.parent+"-"+from.String(), "/", "-")
}

// upLoopback brings up the loopback interface of this thread's network.
func upLoopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	req, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	req.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, req)
}
