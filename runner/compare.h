#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "runner/sha256.h"

/* Whether an output is the expected one, of which only a digest is known: the output is brought into a normal form
 * as it arrives, in constant memory, and the SHA-256 of that form is compared. Blanks are space, \t, \n, \v, \f, \r.
 *
 *   exact    the bytes as they are
 *   trimmed  without blanks at the end of each line and without empty lines at the end (so no line end at the end)
 *   tokens   the words between the blanks, joined by one space */

enum compare_mode { COMPARE_EXACT, COMPARE_TRIMMED, COMPARE_TOKENS };

struct compare {
    enum compare_mode mode;
    struct sha256 sure;  /* up to the last byte that is not blank */
    struct sha256 lines; /* trimmed: the same and the line ends since */
    struct sha256 ahead; /* trimmed: the same and the blanks since the last line end */
    bool open;           /* trimmed: `ahead` is where to go on, the other two are behind it by what is not blank */
    bool word, gap;      /* tokens: something was written; a gap is owed before the next word */
};

void compare_init(struct compare *c, enum compare_mode mode);
void compare_add(struct compare *c, const char *bytes, size_t len);
void compare_end(struct compare *c, unsigned char ret[SHA256_BYTES]);
