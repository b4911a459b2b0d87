package volumes

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// attachLoop makes a loop device of a file. The device lets go of the file by
// itself (LO_FLAGS_AUTOCLEAR, loop(4)) when nobody has it open or mounted.
func attachLoop(file string, readOnly bool) (*os.File, error) {
	how := os.O_RDWR
	if readOnly {
		how = os.O_RDONLY
	}
	backing, err := os.OpenFile(file, how, 0)
	if err != nil {
		return nil, err
	}
	defer backing.Close()
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer control.Close()
	for range 64 { // somebody else may take the free one first
		n, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			return nil, fmt.Errorf("no loop device is free: %w", err)
		}
		loop, err := os.OpenFile(fmt.Sprintf("/dev/loop%d", n), how, 0)
		if err != nil {
			return nil, err
		}
		err = unix.IoctlLoopConfigure(int(loop.Fd()), loopConfig(backing, readOnly))
		if err == nil {
			return loop, nil
		}
		loop.Close()
		if err != unix.EBUSY {
			return nil, err
		}
	}
	return nil, unix.EBUSY
}

func loopConfig(backing *os.File, readOnly bool) *unix.LoopConfig {
	c := &unix.LoopConfig{Fd: uint32(backing.Fd())}
	c.Info.Flags = unix.LO_FLAGS_AUTOCLEAR
	if readOnly {
		c.Info.Flags |= unix.LO_FLAGS_READ_ONLY
	}
	copy(c.Info.File_name[:len(c.Info.File_name)-1], backing.Name())
	return c
}
