//go:build tools

// Keeps runsc itself in the module's graph, so that `go build gvisor.dev/gvisor/runsc` takes the same version.
package main

import _ "gvisor.dev/gvisor/runsc/cli"
