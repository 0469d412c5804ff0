#pragma once
#include "cli/session.h"

/* Waiting for one result without taking it: others may look too, and a connection that breaks loses nothing. */

struct wait_for {
    const char *id;
    const char *payload; /* the request, to be pushed again if Redis lost it; NULL: not ours to push */
    int64_t limit_ms;    /* OPTION_FOREVER: until it comes */
};

/** Pushes a request (at the tail of the queue's inbox). */
int wait_push(struct session *s, const char *payload, struct fault *f);

/** Looks at once. `*ret_json` is NULL where there is no result; else the caller frees. */
int wait_look(struct session *s, const char *id, char **ret_json, struct fault *f);

/** Waits. Faults besides those of session_ask(): FAULT_TIMEOUT (the limit is over), FAULT_GONE (it was finished,
 *  and the result has been taken by someone else). Says on stderr if no worker runs. */
int wait_result(struct session *s, const struct wait_for *w, char **ret_json, struct fault *f);
