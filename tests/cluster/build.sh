# shellcheck shell=bash disable=SC2154 # variables of lib.sh
# What a cluster is made of: programs and image archives in $parts. Each is built again only when what goes into it has
# changed: a stamp beside it holds the digest of that.

gvisor=$here/gvisor
kwok=$here/kwok
components=$here/components

needed_packages() { # what to look for, and the Debian package that has it
    cat <<'END'
ip iproute2
openssl openssl
curl curl
nsenter util-linux
END
    [ "$fake_nodes" = 0 ] || return 0
    cat <<'END'
containerd containerd
runc runc
/usr/lib/cni/bridge containernetworking-plugins
mmdebstrap mmdebstrap
gcc gcc
/usr/include/stdlib.h libc6-dev
/usr/sbin/iptables iptables
python3 python3
END
}

need() { # says in one line what is missing; installs Debian's packages where it may
    local missing=() command package
    [ "$(id -u)" = 0 ] || die 2 "needs root: it makes namespaces, mounts and cgroups"
    [ -f "$components/kubernetes-$CLUSTER_VERSION.mod" ] ||
        die 2 "no Kubernetes $CLUSTER_VERSION here; there are: $(echo "$components"/kubernetes-*.mod | sed 's,[^ ]*/kubernetes-\([0-9.]*\)\.mod,\1,g')"
    command -v go >/dev/null || PATH=$PATH:/usr/local/go/bin # where Go's own archive is unpacked
    command -v go >/dev/null || die 2 "needs Go 1.21 or newer (https://go.dev/dl): Kubernetes is built from source"
    while read -r command package; do
        [ -e "$command" ] || command -v "$command" >/dev/null 2>&1 || missing+=("$package")
    done < <(needed_packages)
    [ ${#missing[@]} = 0 ] && return
    command -v apt-get >/dev/null || die 2 "needs what Debian calls: ${missing[*]}"
    say "installing ${missing[*]}"
    # RUNLEVEL=1 and the policy file: containerd's own service is not to be started
    env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 sh -c 'apt-get -qq update && apt-get -qq install -y --no-install-recommends "$@"' \
        sh "${missing[@]}" >"$log/packages.log" 2>&1 || die 2 "could not install: ${missing[*]} (see $log/packages.log)"
}

fresh() { # fresh STAMP WORDS... < INPUTS: is the stamp that of these inputs? Leaves the new digest in $digest
    digest=$({ echo "$@"; cat; } | sha256sum | cut -d' ' -f1)
    [ "$(cat "$parts/$1.stamp" 2>/dev/null)" = "$digest" ]
}

stamp() { echo "$digest" >"$parts/$1.stamp"; }

build_components() {
    local mod=$components/kubernetes-$CLUSTER_VERSION.mod out=$parts/bin/components-$CLUSTER_VERSION
    local version x=k8s.io/component-base/version digest
    version=$(awk '$1 == "k8s.io/kubernetes" { print $2; exit }' "$mod")
    # without a version stamped in, clients would see v0.0.0
    local flags="-s -w -X $x.gitVersion=$version -X $x.gitMajor=1 -X $x.gitMinor=${CLUSTER_VERSION#1.}"
    fresh "components-$CLUSTER_VERSION" "$flags" "$(go env GOVERSION)" < <(cat "$components/main.go" "$mod" "${mod%.mod}.sum") &&
        [ -x "$out" ] && return
    say "building Kubernetes $version (the first time about 5 minutes on 2 cores)"
    long "build-kubernetes-$CLUSTER_VERSION" nice go build -C "$components" -modfile="$mod" -trimpath -ldflags "$flags" -o "$out" .
    stamp "components-$CLUSTER_VERSION"
}

build_gvisor() {
    local digest
    fresh gvisor "$(go env GOVERSION)" < <(cat "$gvisor"/*.go "$gvisor/go.mod" "$gvisor/go.sum") &&
        [ -x "$parts/bin/runsc" ] && [ -x "$parts/bin/containerd-shim-runsc-v1" ] && return
    say "building gVisor (the first time about a minute)"
    long build-runsc env CGO_ENABLED=0 nice go build -C "$gvisor" -trimpath -ldflags "-s -w" -o "$parts/bin/runsc" gvisor.dev/gvisor/runsc
    long build-shim env CGO_ENABLED=0 nice go build -C "$gvisor" -trimpath -ldflags "-s -w" -o "$parts/bin/containerd-shim-runsc-v1" .
    stamp gvisor
}

build_kwok() {
    local digest
    fresh kwok "$(go env GOVERSION)" < <(cat "$kwok/go.mod" "$kwok/go.sum") && [ -x "$parts/bin/kwok" ] && return
    say "building kwok (the first time two minutes)"
    long build-kwok env CGO_ENABLED=0 nice go build -C "$kwok" -trimpath -ldflags "-s -w" -o "$parts/bin/kwok" sigs.k8s.io/kwok/cmd/kwok
    stamp kwok
}

build_image() { # build_image NAME: by images/NAME, which writes an archive to its first argument
    local name=$1 digest
    fresh "image-$name" < <(cat "$here/images/$name" "$here/images/archive") && [ -f "$parts/$name.tar" ] && return
    say "building the image $name"
    long "image-$name" "$here/images/$name" "$parts/$name.tar.new"
    mv "$parts/$name.tar.new" "$parts/$name.tar"
    stamp "image-$name"
}

build() {
    local name
    need
    exec 8>"$parts/lock"
    flock -n 8 || { say "another build is under way; waiting for it" && flock 8; }
    build_components
    if [ "$fake_nodes" != 0 ]; then
        build_kwok
    else
        build_gvisor
        for name in pause python no-python; do build_image $name; done
    fi
    exec 8>&-
}
