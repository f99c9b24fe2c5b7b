//go:build cgo

package pmix

/*
#include <stdint.h>
#include <stddef.h>
*/
import "C"

import "unsafe"

// What the library calls, from a thread of its own, which must not wait here.

//export onAbort
func onAbort(rank C.uint32_t, status C.int, words *C.char, a unsafe.Pointer) {
	text := ""
	if words != nil {
		text = C.GoString(words)
	}
	hostNow().abort(uint32(rank), int32(status), text, newAsked(a))
}

//export onFence
func onFence(procs unsafe.Pointer, n C.size_t, bytes *C.char, size C.size_t, a unsafe.Pointer) C.int {
	return C.int(hostNow().fence(procsAt(procs, int(n)), C.GoBytes(unsafe.Pointer(bytes), C.int(size)), newAsked(a)))
}

//export onModex
func onModex(space *C.char, rank C.uint32_t, a unsafe.Pointer) C.int {
	return C.int(hostNow().modex(proc{C.GoString(space), uint32(rank)}, newAsked(a)))
}

//export onAnswer
func onAnswer(status C.int, bytes *C.char, size C.size_t, id C.uintptr_t) {
	hostNow().answered(uint64(id), int32(status), C.GoBytes(unsafe.Pointer(bytes), C.int(size)))
}
