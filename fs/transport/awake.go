package transport

import (
	"bytes"
	"encoding/binary"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// awake keeps processors from halting between two requests. A client that waits
// for its answer sleeps, and so does the server until the next request: each
// time the other one's processor has to be woken, which in a virtual machine
// takes longer than most requests do, since both the halt and the wake-up go
// through the hypervisor. While requests come thick and fast, idle processors
// are therefore asked to poll (the kernel's PM QoS, of which cpu_dma_latency is
// the knob). Root may ask; the request ends with the burst, and with the
// process.
type awake struct {
	tried   bool
	fd      int
	held    bool
	last    time.Time // when heed was called
	useful  time.Time // when requests last came fast
	written [4]byte
}

const (
	latencyDevice = "/dev/cpu_dma_latency"
	// noLatency and anyLatency are microseconds
	// (Documentation/power/pm_qos_interface.rst).
	noLatency  = 0
	anyLatency = 2000000000

	// fastGap is the mean time between requests that are worth it.
	fastGap = 150 * time.Microsecond
	// afterglow is how long the request outlives the burst: to make one and to
	// end it wakes every processor.
	afterglow = 20 * time.Millisecond
	// awakeCPUs bounds the machines on which it is done: all processors poll,
	// however few of them serve.
	awakeCPUs = 4
)

// heed is told how many requests there were since it was told last. It is called
// by the watchdog alone.
func (a *awake) heed(requests uint64) {
	now := time.Now()
	passed := now.Sub(a.last)
	a.last = now
	switch {
	case requests > 0 && passed < time.Duration(requests)*fastGap:
		a.useful = now
		a.hold()
	case now.Sub(a.useful) > afterglow:
		a.letGo()
	}
}

func (a *awake) hold() {
	if !a.tried {
		a.tried, a.fd = true, -1
		if mayBeHalted() {
			if fd, err := unix.Open(latencyDevice, unix.O_WRONLY|unix.O_CLOEXEC, 0); err == nil {
				a.fd = fd
			}
		}
	}
	if a.fd >= 0 && !a.held {
		a.held = a.ask(noLatency)
	}
}

func (a *awake) letGo() {
	if a.held {
		a.held = !a.ask(anyLatency)
	}
}

func (a *awake) ask(latency uint32) bool {
	binary.NativeEndian.PutUint32(a.written[:], latency)
	_, err := unix.Write(a.fd, a.written[:])
	return err == nil
}

// end takes the request back for good.
func (a *awake) end() {
	if a.tried && a.fd >= 0 {
		_ = unix.Close(a.fd)
	}
}

// mayBeHalted tells whether this is a small virtual machine whose idle
// processors are governed by a driver that heeds the request.
func mayBeHalted() bool {
	if runtime.NumCPU() > awakeCPUs {
		return false
	}
	driver, err := os.ReadFile("/sys/devices/system/cpu/cpuidle/current_driver")
	if err != nil || string(bytes.TrimSpace(driver)) == "none" {
		return false
	}
	info, err := os.ReadFile("/proc/cpuinfo")
	return err == nil && bytes.Contains(info, []byte("hypervisor"))
}
