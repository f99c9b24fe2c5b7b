package cli

import (
	"runtime"
	"runtime/debug"
	"sync"
)

// collectLate leaves a command uncollected until it holds 64 MB, and has the collector
// work as it does otherwise from then on: most of what a long listing brings is held
// until it is printed. It is not for every command, since to say so takes a third of a
// millisecond.
var collectLate = sync.OnceFunc(func() {
	const most = 1600 // percent of the 4 MB that a heap always has
	was := debug.SetGCPercent(most)
	runtime.AddCleanup(&struct{ _ [32]byte }{}, func(percent int) { debug.SetGCPercent(percent) }, was)
})
