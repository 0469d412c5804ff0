/* What Redis' answers mean for execq. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/doctor_redis.h"

enum {
    FLOOR_MAJOR = 7,         /* flags of scripts; Valkey says 7.2 in redis_version */
    CLOCK_LENIENT_MS = 2000, /* due times and deadlines go by Redis' clock, and are in seconds */
};

/* A line "name:value" of INFO; `ret` gets "" where there is none. */
static void info_value(const char *info, const char *name, char ret[64])
{
    size_t len = strlen(name);

    ret[0] = '\0';
    for (const char *line = info; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        if (strncmp(line, name, len) == 0 && line[len] == ':') {
            snprintf(ret, 64, "%.*s", (int)strcspn(line + len + 1, "\r\n"), line + len + 1);
            return;
        }
}

static void judge_version(const char *info, struct finding *f)
{
    char version[64], valkey[64];

    info_value(info, "redis_version", version);
    info_value(info, "valkey_version", valkey);
    if (!*version) {
        finding_set(f, FINDING_WARNING, "answers, but does not say its version");
    } else if (strtol(version, NULL, 10) < FLOOR_MAJOR) {
        finding_set(f, FINDING_BAD, "is of version %.32s", version);
        finding_advise(f, "execq needs Redis 7.0 or Valkey 7.2, or later");
    } else {
        finding_set(f, FINDING_WELL, "%s %.32s", *valkey ? "Valkey" : "Redis", *valkey ? valkey : version);
    }
}

static void judge_memory(const char *info, struct finding *f)
{
    char policy[64], most[64];

    info_value(info, "maxmemory_policy", policy);
    info_value(info, "maxmemory", most);
    if (!*policy)
        finding_set(f, FINDING_WARNING, "does not say its maxmemory-policy");
    else if (strcmp(policy, "noeviction") == 0)
        finding_set(f, FINDING_WELL, "maxmemory-policy noeviction, maxmemory %.32s", most);
    else if (strcmp(most, "0") == 0)
        finding_set(f, FINDING_WARNING, "maxmemory-policy is %.32s; without a maxmemory nothing is evicted", policy);
    else
        finding_set(f, FINDING_BAD, "maxmemory-policy is %.32s: a full Redis throws requests and results away", policy);
    if (f->state >= FINDING_WARNING)
        finding_advise(f, "CONFIG SET maxmemory-policy noeviction, and the same in redis.conf");
}

static void judge_disk(const char *info, struct finding *f)
{
    char aof[64];

    info_value(info, "aof_enabled", aof);
    if (strcmp(aof, "1") == 0) {
        finding_set(f, FINDING_WELL, "appendonly yes");
    } else {
        finding_set(f, FINDING_WARNING, "no append-only file: a restart of Redis loses requests and results");
        finding_advise(f, "CONFIG SET appendonly yes, and the same in redis.conf");
    }
}

size_t doctor_redis_judge_info(const char *info, int64_t took_ms, struct finding *list)
{
    struct finding *f;
    size_t n = 0;

    f = finding_begin(list, &n, "redis");
    judge_version(info, f);
    f->took_ms = took_ms;
    judge_memory(info, finding_begin(list, &n, "redis memory"));
    judge_disk(info, finding_begin(list, &n, "redis disk"));
    return n;
}

void doctor_redis_judge_clock(int64_t ahead_ms, int64_t unsure_ms, struct finding *ret)
{
    int64_t off = llabs(ahead_ms);

    if (off <= CLOCK_LENIENT_MS + unsure_ms) {
        finding_set(ret, FINDING_WELL, "agrees with this machine's within %lld ms", (long long)(off + unsure_ms));
        return;
    }
    finding_set(ret, FINDING_WARNING, "%s this machine's by %.1f s", ahead_ms > 0 ? "is ahead of" : "is behind",
                (double)off / 1000.0);
    finding_advise(ret, "set both clocks by NTP: deadlines and not_before go by Redis', times in results by both");
}
