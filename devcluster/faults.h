#pragma once
#include <json-c/json_types.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/fault.h"
#include "devcluster/kinds.h"

/* Faults on order. Two sorts of rule:
 *
 *     {"verb": "create", "resource": "jobs", "match": "part of a name", "action": "429", "count": 3, "every": 10}
 *     {"pod": "part of a name", "action": "evict", "after_ms": 200, "count": 1}
 *
 * For a request: `verb` (get, list, watch, create, update, patch, delete, deletecollection, log, *) and `resource`
 * (pods, jobs, ..., *) say which; `match` (nothing: every name) narrows it. Then of those that fit: `probability`
 * (0 to 1), or `every` nth, or all; at most `count`. `slow_ms` alone, or beside an action, delays the answer first.
 * Of several rules that fit, the first one with an action decides; delays add up.
 *
 * The same seed and the same requests in the same order give the same faults. No loop, no clock, no I/O. */

enum fault_action {
    ACTION_NONE, /* only slow */
    /* answers */
    ACTION_403, /* as a quota that is used up */
    ACTION_409,
    ACTION_410, /* the history is gone: Expired */
    ACTION_429,
    ACTION_500,
    ACTION_503,
    ACTION_504,
    /* what goes wrong on the way */
    ACTION_RESET,      /* cut without an answer and without doing anything */
    ACTION_LOSE_REPLY, /* do it, then cut */
    ACTION_HALF_BODY,  /* send half the body, then cut */
    ACTION_STALL,      /* never answer */
    /* a watch that runs */
    ACTION_410_EVENT, /* an ERROR event that says Expired */
    ACTION_HALF_LINE, /* half an event, then cut */
    ACTION_CUT_WATCH, /* end the stream before the event, as a proxy does */
    /* pods */
    ACTION_EVICT,
    ACTION_OOM,
    ACTION_NEVER_SCHEDULE,
    ACTION_IMAGE_PULL,
    ACTION_NODE_LOST,
    ACTION_DELETE,
    ACTION_START_ERROR,
    ACTION_NO_POD, /* the Job never gets one */
    ACTION_LOG_LOST,
};

struct fault_hit {
    enum fault_action action;
    int64_t ms; /* slow_ms of a request, after_ms of a pod */
};

struct faults;

struct faults *faults_new(uint64_t seed);
void faults_free(struct faults *fs);
DEFINE_CLEANUP(struct faults, faults_free)

/** Adds a rule or a list of rules: all of them or, on a fault, none. */
int faults_add(struct faults *fs, struct json_object *rules, struct fault *f);

/** The same from the command line: JSON, or "verb=create,resource=jobs,action=429,count=3". */
int faults_add_text(struct faults *fs, const char *text, struct fault *f);

void faults_clear(struct faults *fs);

/** The rules as they were given, each with "hits"; owned by the caller. */
struct json_object *faults_list(const struct faults *fs);

/** What shall happen to a request. `name` NULL: it has none (list, watch). */
struct fault_hit faults_of_request(struct faults *fs, enum verb verb, const char *resource, const char *name);

/** What shall happen to an event that a running watch is about to send. */
struct fault_hit faults_of_event(struct faults *fs, const char *resource, const char *name);

/** What shall happen to a pod (asked once, when it appears), and to a Job before it gets its pod. */
struct fault_hit faults_of_pod(struct faults *fs, const char *name);
struct fault_hit faults_of_job(struct faults *fs, const char *name);
