//go:build (amd64 || arm64) && !race

package slice

import "golang.org/x/sys/unix"

// sharesMemory says that the first process of a slice runs in the memory of
// the launcher, on a stack of its own.
const sharesMemory = unix.CLONE_VM

// waitsForExec says that the first process stands still from the fork of a
// task until the task has executed its program or is gone.
const waitsForExec = unix.CLONE_VM | unix.CLONE_VFORK

// spawn is in spawn_*.s.
//
//go:noescape
func spawn(nr, a, b uintptr) (ret uintptr)
