#!/bin/sh
# bench/queue_bench.sh BUILD [jobs]: the queue alone, with the append-only file off and on, against a redis-server of
# its own. Everything runs on this machine, so the figures are of the two together.
set -eu
build=$1 jobs=${2:-200000}
folder=$(mktemp -d /tmp/execq-bench-XXXXXX)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$folder"' EXIT
for append in "no" "yes --appendfsync everysec"; do
    # shellcheck disable=SC2086
    redis-server --port 0 --save "" --dir "$folder" --unixsocket "$folder/s" --logfile "$folder/log" --appendonly $append &
    server=$!
    until redis-cli -s "$folder/s" ping > /dev/null 2>&1; do sleep 0.05; done
    echo "appendonly $append, $(redis-server --version | cut -d' ' -f3), $(nproc) cores"
    for shape in "100 200 1" "100 200 16" "100 200 64" "100 200 256" "1000 1000 256"; do
        # shellcheck disable=SC2086
        set -- $shape
        n=$jobs
        [ "$3" -gt 1 ] || n=$((jobs / 10))
        "$build/bench/queue_bench" "unix://$folder/s" "$n" "$1" "$2" "$3"
    done
    kill "$server"; wait "$server" || true; server=
    rm -rf "$folder"/appendonlydir
done
