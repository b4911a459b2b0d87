package sandbox

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	PassGate()
	actAsCaller()
	actAsProbe()
	os.Exit(m.Run())
}
