#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/digest.h"

/* The requests of a batch: where each stands in its file, and how far it is. The requests themselves are read again
 * when they are pushed, so that a long file costs no memory but this. */

struct lh_table; /* json-c's */

struct row {
    char *id;
    off_t offset; /* in the input */
    size_t len, line;
    uint64_t check;  /* of the bytes: the file must not change under a batch */
    bool derived_id; /* the line has none: it is put in when pushed */

    off_t result_offset; /* in the journal */
    size_t result_len;

    enum { ROW_NEW, ROW_OPEN, ROW_DONE } state; /* open: submitted, no result yet */
    unsigned era;                               /* see collect.c */
    unsigned char missed;
    bool busy;
};

struct rows {
    int fd;
    struct row *list;
    size_t n;
    char digest[DIGEST_HEX]; /* of the whole input and the salt */
    char reply_to[32];       /* NAME of the list where this batch collects */
    struct lh_table *by_id;
};

typedef void rows_complaint_fn(void *arg, size_t line, const char *text);

/** Reads and checks a file of requests, one JSON object a line (empty lines are skipped). Every line that is wrong is
 *  told to `complain`; then, and where nothing could be read, it fails with FAULT_INVALID.
 *
 *  Where a line has no id, one is derived from the content of the whole file, `salt` and the line's number: the same
 *  file gives the same ids, so that a batch that is started again finds what it began. */
int rows_read(const char *path, const char *salt, rows_complaint_fn *complain, void *arg, struct rows **ret,
              struct fault *f);
void rows_free(struct rows *r);
DEFINE_CLEANUP(struct rows, rows_free)

/** The row with this id, or NULL. */
struct row *rows_find(const struct rows *r, const char *id);

/** The request of a row as it is pushed: the line, with reply_to and, where it has none, the id put in. */
int rows_payload(const struct rows *r, const struct row *row, struct buf *into, struct fault *f);
