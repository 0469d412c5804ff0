// containerd-shim-runsc-v1: gVisor's own shim, but for one step. Its StartShim sets the new shim's OOM score below that
// of its parent, which takes CAP_SYS_RESOURCE; many containers, sandboxes and CI machines do not have it, and then no
// pod would start. Here the score stays as inherited, which is right for a cluster that lives for the length of a test.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"github.com/containerd/containerd/namespaces"
	"github.com/containerd/containerd/runtime/v2/shim"
	v1 "gvisor.dev/gvisor/pkg/shim/v1"
)

const runtimeName = "io.containerd.runsc.v1"

// unscored is gVisor's shim with a StartShim of its own.
type unscored struct{ shim.Shim }

// StartShim starts this program once more as the long-lived shim of container opts.ID, hands it its listening socket
// as the first inherited file, and returns the socket's address. containerd calls it in the bundle's folder, where it
// looks for the files "shim.pid" and "address" later.
func (unscored) StartShim(ctx context.Context, opts shim.StartOpts) (string, error) {
	address, socket, err := listen(ctx, opts)
	if err != nil {
		return "", err
	}
	defer socket.Close()
	cmd, err := command(ctx, opts, socket)
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", fmt.Errorf("start the shim: %w", err)
	}
	go cmd.Wait() // this process ends soon; until then it must not leave a zombie
	if err := shim.WritePidFile("shim.pid", cmd.Process.Pid); err != nil {
		cmd.Process.Kill()
		return "", err
	}
	if err := shim.WriteAddress("address", address); err != nil {
		cmd.Process.Kill()
		return "", err
	}
	return address, nil
}

func listen(ctx context.Context, opts shim.StartOpts) (string, *os.File, error) {
	address, err := shim.SocketAddress(ctx, opts.Address, opts.ID)
	if err != nil {
		return "", nil, err
	}
	// a socket that a killed shim left; each container has an address of its own, so nobody can be using it
	_ = shim.RemoveSocket(address)
	listener, err := shim.NewSocket(address)
	if err != nil {
		return "", nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	file, err := listener.File()
	return address, file, err
}

func command(ctx context.Context, opts shim.StartOpts, socket *os.File) (*exec.Cmd, error) {
	namespace, err := namespaces.NamespaceRequired(ctx)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, "-namespace", namespace, "-address", opts.Address, "-publish-binary", opts.ContainerdBinary)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=2")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.ExtraFiles = []*os.File{socket}
	return cmd, nil
}

func main() {
	shim.Run(runtimeName, func(ctx context.Context, id string, p shim.Publisher, cancel func()) (shim.Shim, error) {
		s, err := v1.New(ctx, id, p, cancel)
		if err != nil {
			return nil, err
		}
		return unscored{s}, nil
	})
}
