package probe

// Use is what a GPU is doing.
type Use struct {
	Busy   float64 // part of the time lately that something ran on it
	Memory int64   // bytes in use
	Energy int64   // millijoules since the driver was loaded; 0 when it does not tell
}
