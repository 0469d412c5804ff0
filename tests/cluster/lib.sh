# shellcheck shell=bash
# Where things are, and how the scripts of this folder speak. Sourced, never run.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)

CLUSTER_VERSION=${CLUSTER_VERSION:-1.34}
fake_nodes=${CLUSTER_KWOK:-0} # that many of kwok's in place of the one with a kubelet
flavour=
[ "$fake_nodes" = 0 ] || flavour=-kwok
parts=${CLUSTER_PARTS:-$top/build/cluster/parts}                  # what was built; shared by all clusters
state=${CLUSTER_DIR:-$top/build/cluster/$CLUSTER_VERSION$flavour} # one cluster: certificates, data, logs
mkdir -p "$parts/bin" "$state/log" 2>/dev/null && parts=$(cd "$parts" && pwd -P) && state=$(cd "$state" && pwd -P)
log=$state/log

# Every process of a cluster has this in its environment, so that it is found again whatever happened to its pid file.
marker="EXECQ_TEST_CLUSTER=$state"

say() { echo "cluster: $*" >&2; }

die() { # die CODE WORDS...
    local code=$1
    shift
    say "$@"
    exit "$code"
}

wait_for() { # wait_for SECONDS WHAT COMMAND...: until the command succeeds
    local end=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        if [ $SECONDS -ge $end ]; then
            say "gave up waiting for $what"
            return 1
        fi
        sleep 0.2
    done
}

long() { # long NAME COMMAND...: its output goes to log/NAME.log; says every 20 seconds that it still runs
    local name=$1 began=$SECONDS told=$SECONDS pid
    shift
    "$@" >"$log/$name.log" 2>&1 &
    pid=$!
    while kill -0 $pid 2>/dev/null; do
        if [ $((SECONDS - told)) -ge 20 ]; then
            told=$SECONDS
            say "  $name: $((SECONDS - began)) s so far"
        fi
        sleep 0.2
    done
    wait $pid && return
    tail -n 20 "$log/$name.log" >&2
    die 1 "$name failed; all of it stands in $log/$name.log"
}

cluster_processes() { # pids of everything that carries the marker
    local file pid
    for file in /proc/[0-9]*/environ; do
        pid=${file#/proc/}
        if grep -qzxF "$marker" "$file" 2>/dev/null; then echo "${pid%/environ}"; fi
    done
}

machine_pid() { # the pid, as seen from here, of the cluster's first process; fails if it does not run
    local pid
    pid=$(cat "$state/machine.pid" 2>/dev/null) && grep -qzxF "$marker" "/proc/$pid/environ" 2>/dev/null && echo "$pid"
}

inside() { # a command in the namespaces of the cluster's machine
    nsenter -t "$(machine_pid)" --mount --pid --net --uts --ipc -- "$@"
}
