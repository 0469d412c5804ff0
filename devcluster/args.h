#pragma once
#include <stddef.h>

/* A list of strings that grows, ended by NULL: argument vectors. */

struct args {
    char **v; /* NULL while empty */
    size_t n;
};

void args_add(struct args *a, const char *text);
/** The words in turn, ended by NULL. */
void args_add_all(struct args *a, ...) __attribute__((sentinel));
void args_addf(struct args *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
void args_release(struct args *a); /* back to empty; also a cleanup */
