//go:build tools

// Keeps kwok's program in the module's graph, so that `go build sigs.k8s.io/kwok/cmd/kwok` takes the version in go.mod.
package tools

import _ "sigs.k8s.io/kwok/pkg/kwok/cmd"
