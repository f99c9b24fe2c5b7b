package noded

import (
	"os"
	"runtime"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/runink/rink/api/rinkpb"
)

// rights are whose rights on the file system something is done with; nil: this
// process's own.
type rights struct {
	uid, gid uint32
	groups   []uint32
	turns    chan struct{} // holds one for each call of the user's that is on its way
}

// maxTurns bounds the calls of one user that wait for a file system at a time. Each
// has a thread, of which this process may have a limited number, and a file system
// may be one that its user answers for, or does not.
const maxTurns = 32

// turnBook has the turns of each user.
type turnBook struct {
	mu   sync.Mutex // guards what follows
	list map[uint32]chan struct{}
}

func (b *turnBook) of(uid uint32) chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.list == nil {
		b.list = map[uint32]chan struct{}{}
	}
	if b.list[uid] == nil {
		b.list[uid] = make(chan struct{}, maxTurns)
	}
	return b.list[uid]
}

func (a *Agent) rightsOf(here *rinkpb.JobHere) (*rights, error) {
	if os.Geteuid() != 0 && int(here.Uid) != os.Geteuid() {
		return nil, unix.EPERM
	}
	return a.rightsOfID(here.Uid, here.Gid)
}

func (a *Agent) rightsOfID(uid, gid uint32) (*rights, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := a.users.ByUID(uid)
	if err != nil {
		return nil, err
	}
	return &rights{uid, gid, u.Groups, a.turns.of(uid)}, nil
}

// fileWait is how long a file system may take over one call.
var fileWait = 60 * time.Second // tests shorten it

// do does something on the file system with a user's rights. It waits for what
// does not answer no longer than fileWait; what is then still on its way must touch
// nothing that the caller goes on with, which as sees to.
func (r *rights) do(what func() error) error {
	_, err := as(r, func() (struct{}, error) { return struct{}{}, what() })
	return err
}

// as is do for what has a result. One that comes too late is dropped.
func as[T any](r *rights, what func() (T, error)) (T, error) {
	if r == nil {
		return what()
	}
	type outcome struct {
		value T
		err   error
	}
	var none T
	limit := time.NewTimer(fileWait)
	defer limit.Stop()
	select {
	case r.turns <- struct{}{}:
	case <-limit.C:
		return none, unix.ETIMEDOUT
	}
	result := make(chan outcome, 1)
	go func() { // ends with what; the thread, whose identity changed, ends with it
		defer func() { <-r.turns }()
		runtime.LockOSThread()
		var groups unsafe.Pointer
		if len(r.groups) > 0 {
			groups = unsafe.Pointer(&r.groups[0])
		}
		// Of this thread alone: the package's own call changes all threads.
		if _, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(r.groups)), uintptr(groups), 0); errno != 0 {
			result <- outcome{err: errno}
			return
		}
		unix.SetfsgidRetGid(int(r.gid))
		unix.SetfsuidRetUid(int(r.uid))
		value, err := what()
		result <- outcome{value, err}
	}()
	select {
	case out := <-result:
		return out.value, out.err
	case <-limit.C:
		return none, unix.ETIMEDOUT
	}
}
