package layertar

import (
	"archive/tar"
	"context"
	"io"

	"unionfs/whiteout"
)

// Source is a snapshot's directories.
type Source struct {
	Upper, Work int   // Work is -1 when there is none
	Lowers      []int // the highest first
	// LowerLinks answer, for each of Lowers, Summary.Links of it. Where one is
	// missing the layer is read instead, if anything depends on it.
	LowerLinks []func() ([][]string, error)
	IDs        IDs
	// Marks is the dialect of Upper.
	Marks whiteout.Dialect
	// Root says which of Lowers tells what the merged tree's root is like,
	// counted from 1; 0 is the highest directory of all.
	Root int
}

// Pack writes the changes in src.Upper as a layer archive. The same upper gives
// the same bytes.
func Pack(ctx context.Context, w io.Writer, src Source) error {
	return pack(ctx, w, src, (*collector).upperTree)
}

// PackMerged writes the whole merged tree as a plain archive.
func PackMerged(ctx context.Context, w io.Writer, src Source) error {
	return pack(ctx, w, src, (*collector).mergedTree)
}

// PackTree writes a tree as it stands, its marks in the form of archives. A tree
// that is Plain has none.
func PackTree(ctx context.Context, w io.Writer, dirfd int, ids IDs) error {
	return Pack(ctx, w, Source{Upper: dirfd, Work: -1, IDs: ids})
}

func pack(ctx context.Context, w io.Writer, src Source, gather func(*collector) error) error {
	c, err := newCollector(ctx, src)
	if err != nil {
		return err
	}
	defer c.s.dirs.close()
	if err := gather(c); err != nil {
		return err
	}
	return writeItems(ctx, w, c.s, c.items)
}

// writeItems writes the sorted items as an archive.
func writeItems(ctx context.Context, w io.Writer, s *stack, items []item) error {
	p := packer{ctx: ctx, tw: tar.NewWriter(w), s: s, first: map[inode]string{}}
	for i := range items {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := p.write(&items[i]); err != nil {
			return err
		}
	}
	return p.tw.Close()
}
