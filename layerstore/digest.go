package layerstore

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"strings"
)

// Digest names a blob by its bytes: "sha256:" and 64 hexadecimal digits. The
// zero value names nothing. Values come from ParseDigest, from JSON or from
// hashing, so that they are safe in paths.
type Digest string

// DiffID is the digest of a layer's uncompressed tar (OCI image-spec,
// config.md, "Layer DiffID").
type DiffID Digest

// ChainID names a stack of layers (OCI image-spec, config.md, "Layer ChainID").
type ChainID Digest

// ImageID is the digest of an image's config.
type ImageID Digest

const digestPrefix = "sha256:"

// ParseDigest checks a digest that came from outside.
func ParseDigest(s string) (Digest, error) {
	hexa, ok := strings.CutPrefix(s, digestPrefix)
	if !ok || len(hexa) != hex.EncodedLen(sha256.Size) || strings.Trim(hexa, "0123456789abcdef") != "" {
		return "", fmt.Errorf("%q is no digest: sha256: and 64 digits in 0-9a-f are expected", s)
	}
	return Digest(s), nil
}

// Hex is the digest without its algorithm: the name on disk.
func (d Digest) Hex() string { return strings.TrimPrefix(string(d), digestPrefix) }

// Hex is as Digest's.
func (d DiffID) Hex() string { return Digest(d).Hex() }

// Hex is as Digest's.
func (d ImageID) Hex() string { return Digest(d).Hex() }

// Hex is as Digest's.
func (d ChainID) Hex() string { return Digest(d).Hex() }

// Short is what tables show.
func (d ImageID) Short() string {
	hexa := d.Hex()
	return hexa[:min(12, len(hexa))]
}

// UnmarshalText checks digests in JSON.
func (d *Digest) UnmarshalText(text []byte) (err error) {
	*d, err = ParseDigest(string(text))
	return err
}

// IsNamedBy says that a word is the id or its beginning.
func (d ImageID) IsNamedBy(word string) bool {
	word = strings.TrimPrefix(word, digestPrefix)
	return word != "" && strings.HasPrefix(d.Hex(), word)
}

// UnmarshalText checks digests in JSON.
func (d *DiffID) UnmarshalText(text []byte) error { return (*Digest)(d).UnmarshalText(text) }

// UnmarshalText checks digests in JSON.
func (d *ImageID) UnmarshalText(text []byte) error { return (*Digest)(d).UnmarshalText(text) }

// DigestOf hashes bytes.
func DigestOf(b []byte) Digest {
	sum := sha256.Sum256(b)
	return Digest(digestPrefix + hex.EncodeToString(sum[:]))
}

func sumOf(h hash.Hash) Digest { return Digest(digestPrefix + hex.EncodeToString(h.Sum(nil))) }

// ChainOf names the stack of the given layers, the lowest first.
func ChainOf(layers []DiffID) ChainID {
	if len(layers) == 0 {
		return ""
	}
	chain := ChainID(layers[0])
	for _, l := range layers[1:] {
		chain = ChainID(DigestOf([]byte(string(chain) + " " + string(l))))
	}
	return chain
}
