package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// getter makes one GET request.
type getter func(ctx context.Context, header http.Header, codes ...int) (*http.Response, error)

// openAt opens a blob from offset on, whether or not the server knows ranges
// (RFC 9110 section 14: it may ignore them and send everything).
func openAt(ctx context.Context, d v1.Descriptor, offset int64, stall time.Duration, get getter) (io.ReadCloser, error) {
	ctx, end := context.WithCancelCause(ctx)
	header := http.Header{}
	codes := []int{http.StatusOK}
	if offset > 0 {
		// Some servers know no ranges without an end.
		header.Set("Range", fmt.Sprintf("bytes=%d-%d", offset, max(d.Size-1, offset)))
		codes = append(codes, http.StatusPartialContent, http.StatusRequestedRangeNotSatisfiable)
	}
	res, err := get(ctx, header, codes...)
	if err != nil {
		end(nil)
		return nil, err
	}
	body := newLively(ctx, end, res.Body, stall)
	if err := arrive(res, body, d, offset); err != nil {
		body.Close()
		return nil, err
	}
	return body, nil
}

// arrive makes the body begin at offset.
func arrive(res *http.Response, body io.Reader, d v1.Descriptor, offset int64) error {
	switch res.StatusCode {
	case http.StatusRequestedRangeNotSatisfiable:
		return errors.ErrUnsupported
	case http.StatusPartialContent:
		var first, last, total int64
		n, _ := fmt.Sscanf(res.Header.Get("Content-Range"), "bytes %d-%d/%d", &first, &last, &total)
		if n < 2 || first != offset {
			return errors.ErrUnsupported // something else than what was asked for
		}
		if n == 3 {
			return sizeFits(d, total)
		}
		return nil
	}
	if res.ContentLength >= 0 {
		if err := sizeFits(d, res.ContentLength); err != nil {
			return err
		}
	}
	if offset == 0 {
		return nil
	}
	// All comes again: the beginning is here already.
	if _, err := io.CopyN(io.Discard, body, offset); err != nil {
		return fmt.Errorf("%w: %w", errCut, err)
	}
	return nil
}

// sizeFits compares a manifest's word with the server's. A blob that is said
// to be longer than it is would otherwise be waited for in vain.
func sizeFits(d v1.Descriptor, has int64) error {
	if has != d.Size {
		return fmt.Errorf("blob %s has %d bytes, and its manifest says %d", d.Digest, has, d.Size)
	}
	return nil
}
