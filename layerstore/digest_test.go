package layerstore

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestParseDigest(t *testing.T) {
	good := "sha256:" + strings.Repeat("0a", 32)
	if d, err := ParseDigest(good); err != nil || d.Hex() != good[7:] {
		t.Errorf("got %q, %v", d, err)
	}
	for _, bad := range []string{
		"", "sha256:", good + "0", good[:len(good)-1], strings.ToUpper(good), good[7:],
		"sha512:" + good[7:], "sha256:" + strings.Repeat("../", 21) + "x",
	} {
		if d, err := ParseDigest(bad); err == nil {
			t.Errorf("%q passed as %q", bad, d)
		}
	}
}

// Digests from JSON become paths, so that they are checked there too.
func TestDigestsInJSON(t *testing.T) {
	var into struct {
		A Digest
		B DiffID
		C ImageID
	}
	for _, text := range []string{`{"A":"../../etc"}`, `{"B":"sha256:x"}`, `{"C":""}`} {
		if err := json.Unmarshal([]byte(text), &into); err == nil {
			t.Errorf("%s was read", text)
		}
	}
}

// The example of OCI image-spec, config.md, "Layer ChainID":
// ChainID(A,B) = Digest(ChainID(A) + " " + DiffID(B)).
func TestChainOf(t *testing.T) {
	a, b, c := DiffID(DigestOf([]byte("a"))), DiffID(DigestOf([]byte("b"))), DiffID(DigestOf([]byte("c")))
	if got := ChainOf(nil); got != "" {
		t.Errorf("no layers make the chain %q", got)
	}
	if got := ChainOf([]DiffID{a}); got != ChainID(a) {
		t.Errorf("got %s", got)
	}
	ab := ChainOf([]DiffID{a, b})
	if want := ChainID(DigestOf([]byte(string(a) + " " + string(b)))); ab != want {
		t.Errorf("got %s, want %s", ab, want)
	}
	if got, want := ChainOf([]DiffID{a, b, c}), ChainID(DigestOf([]byte(string(ab)+" "+string(c)))); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
