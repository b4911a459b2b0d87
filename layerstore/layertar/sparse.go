package layertar

import (
	"bytes"

	"unionfs/fs/hostfs"
)

// holeUnit is the least that is left out of a sparse file: the block of nearly
// every file system.
const holeUnit = 4096

var zeroes [holeUnit]byte

// writeParts writes a file that comes in several buffers. In a sparse one
// blocks of zeroes become holes: archive/tar gives the zeroes, but not the map.
func (p *pool) writeParts(fd int, j *job) error {
	var off int64
	for b := range j.parts {
		err := p.err()
		if err == nil {
			if j.e.sparse {
				err = writeSparse(fd, b, off)
			} else {
				_, err = hostfs.Pwrite(fd, b, off)
			}
		}
		off += int64(len(b))
		p.give(b)
		if err != nil {
			p.cancel(err) // the reader stops sending
			for b := range j.parts {
				p.give(b)
			}
			return err
		}
	}
	if err := p.err(); err != nil {
		return err
	}
	if j.e.sparse {
		return hostfs.Ftruncate(fd, j.e.size)
	}
	return nil
}

// writeSparse writes the runs of blocks that aren't all zero.
func writeSparse(fd int, b []byte, off int64) error {
	for at := 0; at < len(b); {
		end := at
		for end < len(b) && !isHole(b[end:]) {
			end = min(end+holeUnit, len(b))
		}
		if end > at {
			if _, err := hostfs.Pwrite(fd, b[at:end], off+int64(at)); err != nil {
				return err
			}
		}
		for at = end; at < len(b) && isHole(b[at:]); {
			at = min(at+holeUnit, len(b))
		}
	}
	return nil
}

func isHole(b []byte) bool {
	n := min(len(b), holeUnit)
	return bytes.Equal(b[:n], zeroes[:n])
}
