package slice

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// LoopDevice makes a file readable as a block device and returns it open. The
// device is the file's for as long as it is open or mounted.
func LoopDevice(path string) (*os.File, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return LoopDeviceOf(file)
}

// LoopDeviceOf is LoopDevice for a file that is open.
func LoopDeviceOf(file *os.File) (*os.File, error) {
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot make a loop device: %w", err)
	}
	defer control.Close()
	for try := 0; ; try++ {
		n, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			return nil, fmt.Errorf("cannot make a loop device: %w", err)
		}
		loop, err := os.OpenFile(fmt.Sprintf("/dev/loop%d", n), os.O_RDONLY, 0)
		if err != nil {
			return nil, fmt.Errorf("cannot make a loop device: %w", err)
		}
		config := unix.LoopConfig{Fd: uint32(file.Fd()), Info: unix.LoopInfo64{Flags: unix.LO_FLAGS_READ_ONLY | unix.LO_FLAGS_AUTOCLEAR}}
		copy(config.Info.File_name[:len(config.Info.File_name)-1], file.Name())
		if err = unix.IoctlLoopConfigure(int(loop.Fd()), &config); err == nil {
			return loop, nil
		}
		loop.Close()
		if err != unix.EBUSY || try == 16 { // somebody else took it
			return nil, fmt.Errorf("cannot make a loop device of %s: %w", file.Name(), err)
		}
	}
}
