#pragma once
#include <stdbool.h>
#include <stdint.h>

/* An error as a value. A function that can fail returns 0 or -1 and fills the `struct fault` it was given as its
 * last parameter (never NULL); on success it leaves it alone. Each caller may put its own words in front on the
 * way up; whoever ends the journey logs it, once. */

enum fault_kind {
    FAULT_NONE,
    FAULT_TRANSIENT, /* passes by itself: connection reset, 5xx, name lookup: the same call may be repeated */
    FAULT_THROTTLED, /* asked to slow down (429): repeat after retry_after_ms */
    FAULT_TIMEOUT,   /* no answer within our own deadline: the call may or may not have taken effect */
    FAULT_EXISTS,    /* the thing to be created is there already */
    FAULT_GONE,      /* not there (any more): 404, 410, a claim that is no longer ours */
    FAULT_REFUSED,   /* understood and refused: 401, 403, 409, 422, a wrong password */
    FAULT_TOO_BIG,   /* over a ceiling of ours or theirs */
    FAULT_INVALID,   /* does not follow the format, or a setting that is wrong */
    FAULT_CANCELLED, /* we are stopping */
    FAULT_BUG,       /* cannot happen; ours to mend */
};

struct fault {
    enum fault_kind kind;
    int code;               /* HTTP status, errno or 0 */
    int64_t retry_after_ms; /* how long the other side wants us to wait, 0 if it did not say */
    char text[256];         /* for people; names the setting to change where there is one; never a secret */
};

#define FAULT_INIT         \
    {                      \
        .kind = FAULT_NONE \
    }

/** Fills `f` and returns -1. */
int fault_set(struct fault *f, enum fault_kind kind, const char *format, ...) __attribute__((format(printf, 3, 4)));

/** As fault_set() with FAULT_TRANSIENT or, for ENOENT, EACCES and their like, FAULT_INVALID; appends strerror. */
int fault_errno(struct fault *f, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));

/** Puts "context: " in front of the text and returns -1. */
int fault_wrap(struct fault *f, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Whether the same call may succeed if it is repeated (TRANSIENT, THROTTLED, TIMEOUT). */
bool fault_is_passing(const struct fault *f);

/** "transient", "throttled", ...: for logs. */
const char *fault_kind_name(enum fault_kind kind);
