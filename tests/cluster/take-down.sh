# shellcheck shell=bash disable=SC2154 # variables of lib.sh
# Ends a cluster in whatever state it is, and looks whether anything of it is left.

kill_all() { # everything that carries the marker; the kernel ends what is in the machine's namespace with its first process
    local pids patience=300
    if pids=$(machine_pid); then kill -KILL "$pids" 2>/dev/null || true; fi
    while pids=$(cluster_processes) && [ -n "$pids" ]; do
        [ $((patience -= 1)) -gt 0 ] || return 0 # leftovers() names them
        # shellcheck disable=SC2086 # one word a pid
        kill -KILL $pids 2>/dev/null || true # some have ended meanwhile
        sleep 0.1
    done
}

# Cgroups named execq-NUMBER of which no interface execqNUMBER exists: no living cluster has them, because the number
# is taken by making the interface.
stale_cgroups() {
    local folder name
    for folder in /sys/fs/cgroup/execq-[0-9]* /sys/fs/cgroup/*/execq-[0-9]*; do
        name=${folder##*/}
        if [ -d "$folder" ] && [ ! -e "/sys/class/net/${name/-/}" ]; then echo "$folder"; fi
    done
}

remove_cgroups() {
    local folder patience
    for folder in $(stale_cgroups); do
        for patience in $(seq 300); do # a process that was killed leaves its cgroup later, seconds on a busy machine
            find "$folder" -depth -type d -exec rmdir {} + 2>/dev/null || true
            [ -d "$folder" ] || break
            sleep 0.1
        done
        : "$patience"
    done
}

leftovers() { # a line for each thing that should be gone
    local number=$1 pid
    for pid in $(cluster_processes); do echo "process $pid: $(tr '\0' ' ' <"/proc/$pid/cmdline")"; done
    awk -v d="$state/" 'index($2, d) == 1 { print "mount " $2 }' /proc/self/mounts
    [ -z "$number" ] || [ ! -e "/sys/class/net/execq$number" ] || echo "interface execq$number"
    stale_cgroups | sed 's/^/cgroup /'
    [ -z "$number" ] || ip route show | sed -n "/^10\.245\.\($number\|$((128 + number))\)\.0\//s/^/route /p"
    find "$state" -mindepth 1 -maxdepth 1 ! -name log ! -name lock -printf 'file %p\n'
}

take_down() {
    local number left
    number=$(cat "$state/number" 2>/dev/null) || number=""
    kill_all
    if [ -n "$number" ]; then
        # the interface goes with the namespace of its other end, which the kernel takes apart in the background
        wait_for 10 "interface execq$number to go" test ! -e "/sys/class/net/execq$number" || ip link delete "execq$number" || true
    fi
    remove_cgroups
    if ! grep -q " $state/" /proc/self/mounts; then
        find "$state" -mindepth 1 -maxdepth 1 ! -name log ! -name lock -exec rm -rf --one-file-system {} + || true
    fi
    for _ in $(seq 20); do
        left=$(leftovers "$number")
        [ -n "$left" ] || return 0
        # with the number lost, nobody could wait for the interface, and its cgroups were not known to be stale before
        remove_cgroups
        sleep 0.5
    done
    say "left behind:"
    echo "$left" >&2
    return 1
}
