package cmds_test

import (
	"errors"
	"fmt"
	"math/rand"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// detours are a second way between the namespaces of a rig: through a tun device in
// each, and through this process, which keeps packets for a while, each for one of its
// own, so that they are late and overtake one another, and loses some. Packets take it
// while a route says so; otherwise they go over the bridge.
type detours struct {
	mu   sync.Mutex // guards what follows
	tuns map[netip.Addr]*os.File
	late map[[2]netip.Addr]lateness
	sent map[[2]netip.Addr]uint64 // packets taken in, by the link
	last map[[2]netip.Addr]uint64 // the newest that came out

	delayed, reordered, lost atomic.Int64
	wg                       sync.WaitGroup
}

// lateness is how long packets of a link are kept, and the share that is lost.
type lateness struct {
	least, most time.Duration
	lost        float64
}

// newDetours lays them. They end with close.
func newDetours(spaces map[string]netip.Addr) (*detours, error) {
	d := &detours{tuns: map[netip.Addr]*os.File{}, late: map[[2]netip.Addr]lateness{}, sent: map[[2]netip.Addr]uint64{}, last: map[[2]netip.Addr]uint64{}}
	for space, addr := range spaces {
		f, err := openTun(space)
		if err != nil {
			d.close()
			return nil, fmt.Errorf("no tun device in %s: %w", space, err)
		}
		d.tuns[addr] = f
		if out, err := exec.Command("ip", "-n", space, "link", "set", "tun0", "up").CombinedOutput(); err != nil {
			d.close()
			return nil, fmt.Errorf("cannot bring up tun0 in %s: %w: %s", space, err, out)
		}
	}
	for _, f := range d.tuns {
		d.wg.Go(func() { d.carry(f) }) // ends when its device is closed
	}
	return d, nil
}

func (d *detours) close() {
	for _, f := range d.tuns {
		f.Close()
	}
	d.wg.Wait()
}

// openTun makes tun0 in a network namespace. The thread that went there does not come
// back: it ends with its goroutine.
func openTun(space string) (*os.File, error) {
	type made struct {
		f   *os.File
		err error
	}
	done := make(chan made)
	go func() {
		runtime.LockOSThread()
		f, err := func() (*os.File, error) {
			ns, err := os.Open("/run/netns/" + space)
			if err != nil {
				return nil, err
			}
			defer ns.Close()
			if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
				return nil, err
			}
			fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
			if err != nil {
				return nil, err
			}
			ifr, err := unix.NewIfreq("tun0")
			if err == nil {
				ifr.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
				err = unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr)
			}
			// What comes by the one way is answered by the other.
			for _, dev := range []string{"all", "tun0"} {
				err = errors.Join(err, os.WriteFile("/proc/sys/net/ipv4/conf/"+dev+"/rp_filter", []byte("0"), 0o644))
			}
			if err != nil {
				unix.Close(fd)
				return nil, err
			}
			return os.NewFile(uintptr(fd), "tun0@"+space), nil
		}()
		done <- made{f, err}
	}()
	m := <-done
	return m.f, m.err
}

// carry takes packets from a device until it is closed.
func (d *detours) carry(f *os.File) {
	buf := make([]byte, 64<<10)
	for {
		n, err := f.Read(buf)
		if err != nil {
			return
		}
		if n < 20 || buf[0]>>4 != 4 {
			continue // not IPv4
		}
		packet := append([]byte(nil), buf[:n]...)
		link := [2]netip.Addr{netip.AddrFrom4([4]byte(packet[12:16])), netip.AddrFrom4([4]byte(packet[16:20]))}
		d.mu.Lock()
		to, how := d.tuns[link[1]], d.late[link]
		d.sent[link]++
		number := d.sent[link]
		d.mu.Unlock()
		if to == nil {
			continue
		}
		if rand.Float64() < how.lost {
			d.lost.Add(1)
			continue
		}
		keep := how.least
		if how.most > how.least {
			keep += time.Duration(rand.Int63n(int64(how.most - how.least)))
		}
		d.delayed.Add(1)
		time.AfterFunc(keep, func() {
			d.mu.Lock()
			if number < d.last[link] {
				d.reordered.Add(1)
			}
			d.last[link] = max(d.last[link], number)
			d.mu.Unlock()
			to.Write(packet) // a device that is closed takes none
		})
	}
}

func (d *detours) set(from, to netip.Addr, how lateness) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.late[[2]netip.Addr{from, to}] = how
}

// The routes of a rig: one that drops goes before one that makes a detour.
const (
	dropMetric   = "10"
	detourMetric = "20"
)

// delayFor has everything between name and all others late for a while, both ways, and
// reports whether packets were.
func (r *rig) delayFor(name string, how lateness, span time.Duration) bool {
	before, reordered, lost := r.detours.delayed.Load(), r.detours.reordered.Load(), r.detours.lost.Load()
	ok := true
	both := func(do string) {
		for _, other := range r.others(name) {
			for _, link := range [][2]string{{name, other}, {other, name}} {
				from, to := netip.MustParseAddr(r.addrOf(link[0])), netip.MustParseAddr(r.addrOf(link[1]))
				r.detours.set(from, to, how)
				out, err := exec.Command("ip", "-n", r.space(link[0]), "route", do, to.String()+"/32", "dev", "tun0", "src", from.String(), "metric", detourMetric).CombinedOutput()
				if err != nil {
					ok = false
					r.t.Errorf("cannot %s the detour from %s to %s: %v: %s", do, link[0], link[1], err, strings.TrimSpace(string(out)))
				}
			}
		}
	}
	both("add")
	time.Sleep(span)
	both("del")
	delayed := r.detours.delayed.Load() - before
	r.say("what %s sends and is sent was %v to %v late for %v: %d packets, %d out of order, %d lost", name, how.least, how.most, span,
		delayed, r.detours.reordered.Load()-reordered, r.detours.lost.Load()-lost)
	return ok && delayed > 0 && (how.lost == 0 || r.detours.lost.Load() > lost)
}
