#pragma once
#include <json-c/json_types.h>

/* Why a request is turned down, as Kubernetes says it: an HTTP code, a reason that programs branch on, and a text. */

struct refusal {
    int code;
    const char *reason; /* a literal: "NotFound", "AlreadyExists", ... */
    int retry_after_s;  /* 0: not said */
    char text[512];
};

/** Fills `r` and returns -1. */
int refuse(struct refusal *r, int code, const char *reason, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/** 422 Invalid in the words of the real server: `Job.batch "x" is invalid: PATH: ...`. */
int refuse_invalid(struct refusal *r, const char *kind, const char *name, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/** The Status object for it, owned by the caller; `kind` and `name` may be NULL. */
struct json_object *refusal_status(const struct refusal *r, const char *kind, const char *name);

/** The reason that belongs to a bare HTTP code. */
const char *refusal_reason(int code);
