#pragma once
#include "queue/request.h"

/* Private to queue/request.c: the lists of strings in a request. */

/** Reads an array of strings, ended by NULL; absent: *ret is untouched. `*spent` sums up their bytes. */
int request_words(struct json_object *o, const char *name, size_t *spent, char ***ret, struct fault *f);
void request_words_free(char **words); /* NULL is fine */

/** argv, args and env. */
int request_command(struct json_object *o, struct request *r, size_t *spent, struct fault *f);

#define REQUEST_MILLI_MAX 100000000000000 /* seconds until the year 5138, and any time span */
