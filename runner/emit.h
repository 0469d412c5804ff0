#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Writes one JSON value without white space, piece by piece, to whoever takes the pieces. A name of NULL stands for
 * an element of an array or the whole value. All that is written is ASCII and well-formed UTF-8 without line ends. */

typedef void emit_take(void *arg, const char *bytes, size_t len);

struct emit {
    emit_take *take;
    void *arg;
    bool comma; /* the next member needs one before it */
};

void emit_open(struct emit *e, const char *name, char bracket); /* '{' or '[' */
void emit_close(struct emit *e, char bracket);                  /* '}' or ']' */
void emit_int(struct emit *e, const char *name, int64_t n);
void emit_true(struct emit *e, const char *name, bool write); /* writes nothing if not `write` */

/** Bytes under `name` if they are UTF-8 without NUL and not mostly escapes, else in base64 under `name`_base64. */
void emit_bytes(struct emit *e, const char *name, const char *bytes, size_t len);
