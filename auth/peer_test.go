package auth

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
)

const otherUID, otherGID = 3001, 3002

// asOther runs f on a thread of another user, and skips the test when the
// tests do not run as root.
func asOther(t *testing.T, f func() error) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root to act as another user")
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		// The raw calls change this thread alone.
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESGID, ^uintptr(0), otherGID, ^uintptr(0)); errno != 0 {
			done <- errno
			return
		}
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), otherUID, ^uintptr(0)); errno != 0 {
			done <- errno
			return
		}
		done <- f()
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// openDir is a directory of the test that other users may work in.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "auth")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestPeerIsWhoTheKernelSays(t *testing.T) {
	path := filepath.Join(openDir(t), "sock")
	l, err := ListenLocal(path)
	if err != nil {
		t.Fatal(err)
	}
	w := serveWho(t, l, grpc.Creds(ServerCredentials()))
	if err := call(t, context.Background(), "unix:"+path, LocalDialOptions()); err != nil {
		t.Fatal(err)
	}
	want := Identity{Kind: LocalPeer, UID: uint32(os.Geteuid()), GID: uint32(os.Getegid()), PID: int32(os.Getpid())}
	_, peer, known, caller, err := w.last()
	if !known || peer != want || caller != want || err != nil {
		t.Errorf("peer %+v %v, caller %+v %v, want %+v", peer, known, caller, err, want)
	}
}

func TestPeerOfAnotherUser(t *testing.T) {
	path := filepath.Join(openDir(t), "sock")
	l, err := ListenLocal(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var client net.Conn
	asOther(t, func() (err error) { client, err = net.Dial("unix", path); return err })
	defer client.Close()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	id, err := PeerOf(conn)
	if err != nil {
		t.Fatal(err)
	}
	if want := (Identity{Kind: LocalPeer, UID: otherUID, GID: otherGID, PID: int32(os.Getpid())}); id != want {
		t.Errorf("peer %+v, want %+v", id, want)
	}
}

func TestLocalMetadataIsIgnored(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sock")
	l, err := ListenLocal(path)
	if err != nil {
		t.Fatal(err)
	}
	w := serveWho(t, l, grpc.Creds(ServerCredentials()))
	ctx := metadata.AppendToOutgoingContext(context.Background(), keyUID, "4242", keyGID, "4242", keyDaemon, "controller/c1")
	if err := call(t, ctx, "unix:"+path, LocalDialOptions()); err != nil {
		t.Fatal(err)
	}
	_, _, _, caller, err := w.last()
	if err != nil || caller.Kind != LocalPeer || caller.UID != uint32(os.Geteuid()) {
		t.Errorf("caller %+v %v, want this process", caller, err)
	}
}

func TestClientRefusesASocketOfAStranger(t *testing.T) {
	path := filepath.Join(openDir(t), "sock")
	var l net.Listener
	asOther(t, func() (err error) { l, err = net.Listen("unix", path); return err })
	w := serveWho(t, l, grpc.Creds(ServerCredentials()))
	// The file's owner proves nothing: who listens counts.
	if err := os.Chown(path, 0, 0); err != nil {
		t.Fatal(err)
	}
	err := call(t, context.Background(), "unix:"+path, LocalDialOptions())
	if err == nil || !strings.Contains(err.Error(), "runs as uid 3001, not as root") {
		t.Errorf("error %v, want a refusal that names uid 3001", err)
	}
	if calls, _, _, _, _ := w.last(); calls != 0 {
		t.Errorf("%d calls reached the stranger", calls)
	}
	if err := call(t, context.Background(), "unix:"+path, LocalDialOptions(otherUID)); err != nil {
		t.Errorf("with the uid trusted: %v", err)
	}
}

func TestServerRefusesPlainTCP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := serveWho(t, l, grpc.Creds(ServerCredentials()))
	err = call(t, context.Background(), l.Addr().String(), []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())})
	if err == nil {
		t.Error("a call without credentials was served")
	}
	if calls, _, _, _, _ := w.last(); calls != 0 {
		t.Errorf("%d calls were served", calls)
	}
}

func TestListenLocal(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "sock")
	l, err := ListenLocal(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o666 {
		t.Errorf("%v %v, want mode 0666", info.Mode(), err)
	}
	if _, err := ListenLocal(path); err == nil || !strings.Contains(err.Error(), "another daemon answers") {
		t.Errorf("error %v, want a refusal: the socket is in use", err)
	}
	l.SetUnlinkOnClose(false) // as after a kill
	l.Close()
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	l, err = ListenLocal(path)
	if err != nil {
		t.Fatalf("the socket of a daemon that is gone: %v", err)
	}
	l.Close()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ListenLocal(file); err == nil || !strings.Contains(err.Error(), "not a socket") {
		t.Errorf("error %v, want a refusal: not a socket", err)
	}
	if _, err := os.Stat(file); err != nil {
		t.Errorf("the file is gone: %v", err)
	}
}

func TestLocalDialEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if err := call(t, ctx, "unix:"+filepath.Join(t.TempDir(), "none"), LocalDialOptions()); err == nil {
		t.Error("a call to no daemon succeeded")
	}
}
