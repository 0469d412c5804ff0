#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Writes one JSON value without white space, piece by piece, to whoever takes the pieces. A name of NULL stands for
 * an element of an array or the whole value. All that is written is ASCII and well-formed UTF-8 without line ends. */

typedef void json_take(void *arg, const char *bytes, size_t len);

struct json {
    json_take *take;
    void *arg;
    bool comma; /* the next member needs one before it */
};

void json_open(struct json *j, const char *name, char bracket); /* '{' or '[' */
void json_close(struct json *j, char bracket);                  /* '}' or ']' */
void json_int(struct json *j, const char *name, int64_t n);
void json_true(struct json *j, const char *name, bool write); /* writes nothing if not `write` */

/** Bytes under `name` if they are UTF-8 without NUL and not mostly escapes, else in base64 under `name`_base64. */
void json_bytes(struct json *j, const char *name, const char *bytes, size_t len);
