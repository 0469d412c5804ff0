#!/bin/sh
# A producer in redis-cli: pushes one request, waits for its result, shows it.
#
#     examples/producer.sh [REDIS_URL]        default: $EXECQ_REDIS_URL or redis://127.0.0.1:6379/0
#
# Where Redis wants a password name the user as well (redis://default:PASSWORD@...): redis-cli insists on it.
set -eu
url=${1:-${EXECQ_REDIS_URL:-redis://127.0.0.1:6379/0}}
prefix="execq:{${EXECQ_QUEUE:-default}}:"
id="sh-$(date +%s)-$$"

redis-cli -u "$url" --no-auth-warning RPUSH "${prefix}requests" \
    "{\"id\": \"$id\", \"code\": \"print(6 * 7)\", \"timeout_s\": 10}" >/dev/null
# BLMOVE onto itself waits for the result and leaves it there for others; BLPOP would take it.
redis-cli -u "$url" --no-auth-warning --raw BLMOVE "${prefix}result:$id" "${prefix}result:$id" LEFT RIGHT 60
