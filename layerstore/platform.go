package layerstore

import "runtime"

// hostPlatform is this machine in the words of image configs, which are Go's
// (OCI image-spec, config.md, "os" and "architecture").
func hostPlatform() (os, arch string) { return runtime.GOOS, runtime.GOARCH }
