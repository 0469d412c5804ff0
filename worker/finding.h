#pragma once
#include <stddef.h>
#include <stdint.h>

/* What one check found, and what has to be done about it: the canary's and the doctor's common word. */

enum finding_state {
    FINDING_WELL,
    FINDING_WARNING, /* works, but an operator should know */
    FINDING_PASSING, /* could not be found out now; later perhaps */
    FINDING_BAD,     /* has to be changed before requests are spent on it */
};

struct finding {
    char check[48]; /* which one, for people and for scripts */
    enum finding_state state;
    char text[384];   /* what was found */
    char advice[384]; /* what to do; "" where there is nothing to do */
    int64_t took_ms;  /* -1: not measured */
};

/** The next finding of a list that has room for it, named and otherwise empty. */
struct finding *finding_begin(struct finding *list, size_t *count, const char *check);

/** Fills everything but `check`; no advice. What is too long is cut, control characters become blanks. */
void finding_set(struct finding *f, enum finding_state state, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void finding_advise(struct finding *f, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** "well", "warning", "passing", "bad". */
const char *finding_state_name(enum finding_state state);

/** One line in the log, `event` check=... state=..., as an error, a warning or for information. */
void finding_log(const struct finding *f, const char *event);

/** The worst of them; WELL of none. */
enum finding_state finding_worst(const struct finding *list, size_t count);
