#pragma once
#include <stddef.h>

enum { TALLY_MAX = 32 };

/* How many results of each status. */
struct tally {
    struct {
        char status[32];
        size_t count;
    } list[TALLY_MAX]; /* in the order in which they first came; the last one takes what is too much */
    size_t n;
};

void tally_add(struct tally *t, const char *status);
size_t tally_of(const struct tally *t, const char *status);
