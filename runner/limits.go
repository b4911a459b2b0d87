package runner

import (
	"fmt"
	"net"
)

// leastMemory is what the start of a container's program needs; docker has the
// same bound.
const leastMemory = 6 << 20

// checkNumbers finds values that nothing could be done with.
func (s *Spec) checkNumbers() error {
	r := s.Resources
	switch {
	case r.Memory > 0 && r.Memory < leastMemory:
		return fmt.Errorf("--memory=%d: a container needs at least 6m", r.Memory)
	case r.MemorySwap > 0 && r.Memory == 0:
		return fmt.Errorf("--memory-swap=%d: it is memory and swap together, and needs --memory", r.MemorySwap)
	case r.MemorySwap > 0 && r.MemorySwap < r.Memory:
		return fmt.Errorf("--memory-swap=%d: it is memory and swap together, and so can't be less than --memory=%d", r.MemorySwap, r.Memory)
	case r.CPUs < 0:
		return fmt.Errorf("--cpus=%g: a positive number is expected, as in 1.5", r.CPUs)
	}
	for _, server := range s.DNS {
		if net.ParseIP(server) == nil {
			return fmt.Errorf("--dns=%s: the address of a name server is expected, as in 9.9.9.9", server)
		}
	}
	return nil
}
