package fs_test

import (
	"testing"

	"unionfs/fs/fstest"
)

func TestSuite(t *testing.T) { fstest.Suite(t, newMount) }

func TestRandomSequences(t *testing.T) { fstest.RandomSequences(t, newMount, 60, 60) }

func TestAgainstKernel(t *testing.T) {
	fstest.NeedRoot(t)
	fstest.Against(t, newMount, fstest.KernelMount)
}
