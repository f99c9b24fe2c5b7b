package auth

import (
	"errors"
	"os/user"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestHostUsers(t *testing.T) {
	u := NewUsers(time.Minute)
	root, err := u.ByUID(0)
	if err != nil {
		t.Fatal(err)
	}
	if root.Name != "root" || root.GID != 0 || root.Group == "" || len(root.Groups) == 0 || root.Groups[0] != 0 || len(root.Groups) != len(root.GroupNames) {
		t.Errorf("root is %+v", root)
	}
	same, err := u.ByName("root")
	if err != nil || same.UID != 0 {
		t.Errorf("by name %+v, %v", same, err)
	}
	gid, err := u.GID(root.Group)
	if err != nil || gid != 0 {
		t.Errorf("group %s is %d, %v", root.Group, gid, err)
	}
	if _, err := u.ByUID(3999999999); !errors.Is(err, ErrUnknownUser) {
		t.Errorf("error %v, want ErrUnknownUser", err)
	}
	if _, err := u.ByName("no-such-user"); !errors.Is(err, ErrUnknownUser) {
		t.Errorf("error %v, want ErrUnknownUser", err)
	}
	if _, err := u.GID("no-such-group"); !errors.Is(err, ErrUnknownGroup) {
		t.Errorf("error %v, want ErrUnknownGroup", err)
	}
	if _, err := u.GroupName(3999999999); !errors.Is(err, ErrUnknownGroup) {
		t.Errorf("error %v, want ErrUnknownGroup", err)
	}
}

// fakeDB is a user database with one user, whose answers can be changed.
type fakeDB struct {
	asked atomic.Int32
	err   atomic.Pointer[error]
	hold  chan struct{}
}

func (f *fakeDB) users() *Users {
	u := NewUsers(time.Minute)
	u.db = userDB{
		byID: func(uid string) (*user.User, error) {
			f.asked.Add(1)
			if f.hold != nil {
				<-f.hold
			}
			if err := f.err.Load(); err != nil {
				return nil, *err
			}
			return &user.User{Uid: uid, Gid: "100", Username: "alice", HomeDir: "/home/alice"}, nil
		},
		groups: func(*user.User) ([]string, error) { return []string{"200", "100", "300"}, nil },
		groupID: func(gid string) (*user.Group, error) {
			if gid == "300" {
				return nil, user.UnknownGroupIdError(gid)
			}
			return &user.Group{Gid: gid, Name: "g" + gid}, nil
		},
	}
	return u
}

func TestUserIsRememberedForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeDB{}
		u := f.users()
		alice, err := u.ByUID(1000)
		if err != nil {
			t.Fatal(err)
		}
		if alice.Name != "alice" || alice.Group != "g100" || !slices.Equal(alice.Groups, []uint32{100, 200, 300}) ||
			!slices.Equal(alice.GroupNames, []string{"g100", "g200", "300"}) {
			t.Errorf("alice is %+v", alice)
		}
		time.Sleep(59 * time.Second)
		u.ByUID(1000)
		if n := f.asked.Load(); n != 1 {
			t.Errorf("asked %d times within the life, want once", n)
		}
		time.Sleep(2 * time.Second)
		u.ByUID(1000)
		if n := f.asked.Load(); n != 2 {
			t.Errorf("asked %d times after the life, want twice", n)
		}
		// A database that is down leaves the older answer; one that forgot does not.
		down := errors.New("directory does not answer")
		f.err.Store(&down)
		time.Sleep(2 * time.Minute)
		if again, err := u.ByUID(1000); err != nil || again.Name != "alice" {
			t.Errorf("while the database is down: %+v, %v", again, err)
		}
		if _, err := u.ByUID(1001); !errors.Is(err, down) {
			t.Errorf("somebody never seen: %v, want the database's error", err)
		}
		var gone error = user.UnknownUserIdError(1000)
		f.err.Store(&gone)
		time.Sleep(2 * time.Minute)
		if _, err := u.ByUID(1000); !errors.Is(err, ErrUnknownUser) {
			t.Errorf("after removal: %v, want ErrUnknownUser", err)
		}
		f.err.Store(nil)
		time.Sleep(3 * time.Second)
		if _, err := u.ByUID(1000); err != nil {
			t.Errorf("somebody new is unknown for too long: %v", err)
		}
	})
}

func TestOneQuestionAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeDB{hold: make(chan struct{})}
		u := f.users()
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if a, err := u.ByUID(1000); err != nil || a.Name != "alice" {
					t.Errorf("%+v, %v", a, err)
				}
			})
		}
		synctest.Wait()
		close(f.hold)
		wg.Wait()
		if n := f.asked.Load(); n != 1 {
			t.Errorf("asked %d times, want once", n)
		}
	})
}
