package cmds_test

import (
	"fmt"
	"maps"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// fault is one thing that goes wrong for a while. Faults of different kinds go on at
// once, those of one kind one after the other.
type fault struct {
	name string
	kind faultKind
	nets bool // wants namespaces
	// do does it, and undoes it, and says whether it was seen to be done.
	do func(r *rig, rnd *rand.Rand) bool
}

type faultKind int

const (
	ofLeader     faultKind = iota // the leader's process, every few seconds
	ofController                  // a controller's process, or its part of the network
	ofAgent                       // the same of an agent
	ofLinks                       // what goes between any of them is late
	ofDisk                        // a controller's log cannot be written
)

// pauses are how long there is none of a kind between two of it.
var pauses = map[faultKind][2]time.Duration{
	ofLeader:     {2 * time.Second, 5 * time.Second},
	ofController: {time.Second, 4 * time.Second},
	ofAgent:      {500 * time.Millisecond, 3 * time.Second},
	ofLinks:      {time.Second, 4 * time.Second},
	ofDisk:       {3 * time.Second, 8 * time.Second},
}

var allFaults = []fault{
	{"leader killed", ofLeader, false, func(r *rig, rnd *rand.Rand) bool {
		name, free := r.claim(rnd, r.leader(), 'c')
		defer free()
		return name != "" && r.kill(name, between(rnd, 200*time.Millisecond, 2*time.Second))
	}},
	{"follower killed", ofController, false, func(r *rig, rnd *rand.Rand) bool {
		name, free := r.claim(rnd, "", 'c')
		defer free()
		return name != "" && r.kill(name, between(rnd, 200*time.Millisecond, 3*time.Second))
	}},
	{"leader stopped", ofController, false, func(r *rig, rnd *rand.Rand) bool {
		name, free := r.claim(rnd, r.leader(), 'c')
		defer free()
		return name != "" && r.pause(name, between(rnd, 800*time.Millisecond, 4*time.Second)) // longer than its lease
	}},
	{"controller halting", ofController, false, func(r *rig, rnd *rand.Rand) bool {
		name, free := r.claim(rnd, "", 'c')
		defer free()
		done := name != ""
		for range 12 { // what it sends comes late, and in heaps
			done = done && r.pause(name, between(rnd, 20*time.Millisecond, 150*time.Millisecond))
			time.Sleep(between(rnd, 10*time.Millisecond, 60*time.Millisecond))
		}
		return done
	}},
	{"leader cut off", ofController, true, func(r *rig, rnd *rand.Rand) bool {
		name, free := r.claim(rnd, r.leader(), 'c')
		defer free()
		return name != "" && r.cutOffFor(name, true, true, between(rnd, time.Second, 5*time.Second))
	}},
	{"leader not heard", ofController, true, func(r *rig, rnd *rand.Rand) bool {
		name, free := r.claim(rnd, r.leader(), 'c')
		defer free()
		return name != "" && r.cutOffFor(name, true, false, between(rnd, time.Second, 5*time.Second))
	}},
	{"controller hears nothing", ofController, true, func(r *rig, rnd *rand.Rand) bool {
		name, free := r.claim(rnd, "", 'c')
		defer free()
		return name != "" && r.cutOffFor(name, false, true, between(rnd, time.Second, 5*time.Second))
	}},
	{"agent killed", ofAgent, false, func(r *rig, rnd *rand.Rand) bool {
		name, free := r.claim(rnd, "", 'n')
		defer free()
		return name != "" && r.kill(name, between(rnd, 200*time.Millisecond, 3*time.Second))
	}},
	{"agent stopped", ofAgent, false, func(r *rig, rnd *rand.Rand) bool {
		name, free := r.claim(rnd, "", 'n')
		defer free()
		return name != "" && r.pause(name, between(rnd, time.Second, 14*time.Second)) // at times longer than SlurmdTimeout
	}},
	{"agent cut off", ofAgent, true, func(r *rig, rnd *rand.Rand) bool {
		name, free := r.claim(rnd, "", 'n')
		defer free()
		return name != "" && r.cutOffFor(name, true, true, between(rnd, time.Second, 14*time.Second))
	}},
	{"agent not heard", ofAgent, true, func(r *rig, rnd *rand.Rand) bool {
		name, free := r.claim(rnd, "", 'n')
		defer free()
		return name != "" && r.cutOffFor(name, true, false, between(rnd, time.Second, 14*time.Second))
	}},
	{"links delayed", ofLinks, true, func(r *rig, rnd *rand.Rand) bool {
		// Up to an election's time-out there and back.
		return r.delayFor(r.anyOf(rnd, 'c'), lateness{least: 20 * time.Millisecond, most: 250 * time.Millisecond}, between(rnd, 2*time.Second, 6*time.Second))
	}},
	{"links reordered", ofLinks, true, func(r *rig, rnd *rand.Rand) bool {
		name := r.anyOf(rnd, "cn"[rnd.Intn(2)])
		return r.delayFor(name, lateness{most: 40 * time.Millisecond}, between(rnd, 2*time.Second, 6*time.Second))
	}},
	{"links lossy", ofLinks, true, func(r *rig, rnd *rand.Rand) bool {
		name := r.anyOf(rnd, "cn"[rnd.Intn(2)])
		return r.delayFor(name, lateness{most: 10 * time.Millisecond, lost: 0.15}, between(rnd, 2*time.Second, 6*time.Second))
	}},
	{"disk fails", ofDisk, false, func(r *rig, rnd *rand.Rand) bool {
		name, free := r.claim(rnd, someLeader(r, rnd), 'c')
		defer free()
		return name != "" && r.failDisk(name, between(rnd, 200*time.Millisecond, 3*time.Second))
	}},
	{"disk full", ofDisk, false, func(r *rig, rnd *rand.Rand) bool {
		name, free := r.claim(rnd, someLeader(r, rnd), 'c')
		defer free()
		return name != "" && r.troubleDisk(name, "full", between(rnd, time.Second, 4*time.Second))
	}},
	{"disk slow", ofDisk, false, func(r *rig, rnd *rand.Rand) bool {
		name, free := r.claim(rnd, someLeader(r, rnd), 'c')
		defer free()
		return name != "" && r.troubleDisk(name, "slow", between(rnd, 2*time.Second, 5*time.Second))
	}},
}

// someLeader is the leader two times of three.
func someLeader(r *rig, rnd *rand.Rand) string {
	if rnd.Intn(3) == 0 {
		return ""
	}
	return r.leader()
}

func between(rnd *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(rnd.Int63n(int64(most-least)))
}

// injected counts, by the fault's name, how often it was seen to be done.
type injected struct {
	mu    sync.Mutex
	times map[string]int
}

func (i *injected) String() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	var words []string
	for _, name := range slices.Sorted(maps.Keys(i.times)) {
		words = append(words, fmt.Sprintf("%s %d", name, i.times[name]))
	}
	return strings.Join(words, ", ")
}

// missing are the faults of a list that never came.
func (i *injected) missing(r *rig, faults []fault) []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	var names []string
	for _, f := range faults {
		if i.times[f.name] == 0 && (r.spaces || !f.nets) {
			names = append(names, f.name)
		}
	}
	return names
}

// inflict has the faults of each kind, one kind beside the other, until it is told to
// stop, and returns when all is mended. Of one kind each comes once before any comes again.
func inflict(r *rig, seed int64, faults []fault, stop <-chan struct{}) *injected {
	done := &injected{times: map[string]int{}}
	byKind := map[faultKind][]fault{}
	for _, f := range faults {
		if r.spaces || !f.nets {
			byKind[f.kind] = append(byKind[f.kind], f)
		}
	}
	var wg sync.WaitGroup
	for kind, list := range byKind {
		rnd := rand.New(rand.NewSource(seed + int64(kind)))
		wg.Go(func() {
			for {
				for _, i := range rnd.Perm(len(list)) {
					select {
					case <-stop:
						return
					case <-time.After(between(rnd, pauses[kind][0], pauses[kind][1])):
					}
					f := list[i]
					r.say("%s", f.name)
					if f.do(r, rnd) {
						done.mu.Lock()
						done.times[f.name]++
						done.mu.Unlock()
					}
				}
			}
		})
	}
	wg.Wait()
	return done
}

// say notes what is done to the cluster, beside the logs of its daemons.
func (r *rig) say(format string, args ...any) {
	text := time.Now().Format("2006-01-02T15:04:05.000 ") + fmt.Sprintf(format, args...)
	r.mu.Lock()
	defer r.mu.Unlock()
	if f, err := os.OpenFile(filepath.Join(r.dir, "faults.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644); err == nil {
		fmt.Fprintln(f, text)
		f.Close()
	}
}

// anyOf is any of a kind: of controllers ('c') or agents ('n').
func (r *rig) anyOf(rnd *rand.Rand, kind byte) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var names []string
	for name := range r.procs {
		if name[0] == kind {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names[rnd.Intn(len(names))]
}

// claim takes a process for a fault of its own: the one that is wanted, or any of that kind that
// no other fault has. "" when there is none.
func (r *rig) claim(rnd *rand.Rand, want string, kind byte) (name string, free func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var names []string
	for name := range r.procs {
		if name[0] == kind && !r.claimed[name] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	switch {
	case len(names) == 0 || want != "" && r.claimed[want]:
		return "", func() {}
	case want != "":
		name = want
	default:
		name = names[rnd.Intn(len(names))]
	}
	r.claimed[name] = true
	return name, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.claimed, name)
	}
}

// kill ends a process with SIGKILL and starts it again some time later.
func (r *rig) kill(name string, back time.Duration) bool {
	p := r.signal(name, syscall.SIGKILL)
	<-p.done
	killed := p.cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
	r.say("%s is killed for %v", name, back)
	time.Sleep(back)
	if err := r.launch(name); err != nil {
		r.t.Error(err)
	}
	r.say("%s is back", name)
	return killed
}

// pause stops a process for a while.
func (r *rig) pause(name string, span time.Duration) bool {
	p := r.signal(name, syscall.SIGSTOP)
	time.Sleep(span)
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	stopped := strings.Contains(string(text), ") T ")
	r.signal(name, syscall.SIGCONT)
	if span > 500*time.Millisecond {
		r.say("%s stood still for %v", name, span)
	}
	return stopped
}

// cutOff isolates name from all others, in the directions asked for.
func (r *rig) cutOff(name string, out, in bool, how func(from, to string) error) bool {
	ok := true
	for _, other := range r.others(name) {
		if out {
			ok = how(name, other) == nil && ok
		}
		if in {
			ok = how(other, name) == nil && ok
		}
	}
	return ok
}

func (r *rig) cutOffFor(name string, out, in bool, span time.Duration) bool {
	ok := r.cutOff(name, out, in, r.cut)
	time.Sleep(span)
	r.cutOff(name, out, in, r.mend)
	r.say("%s was cut off (what it sends %v, what it is sent %v) for %v", name, out, in, span)
	return ok
}

// others are all the processes but one.
func (r *rig) others(name string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var others []string
	for other := range r.procs {
		if other != name {
			others = append(others, other)
		}
	}
	slices.Sort(others)
	return others
}
