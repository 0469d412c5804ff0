#pragma once
#include <stdbool.h>
#include <stddef.h>

/* Walks over the members of a JSON object in its own bytes, without building anything: for what a parser cannot
 * give, the beginning of a text that is cut off, and the very characters of a value. It is no validator. */

struct skim {
    const char *at, *end;
};

struct skim_member {
    const char *name; /* between the quotes, not unescaped */
    size_t name_len;
    const char *value; /* the whole value, quotes and brackets included */
    size_t value_len;
};

/** Positions `s` on the first member; false if the bytes are not the beginning of an object. */
bool skim_begin(struct skim *s, const char *bytes, size_t len);

/** The next member that stands there in full; false at the end, at the cut, or at what is no JSON. */
bool skim_next(struct skim *s, struct skim_member *ret);

/** Whether the member has this name, written without escapes. */
bool skim_is(const struct skim_member *m, const char *name);

/** Whether the name holds an escaped NUL, at which json-c would end it. */
bool skim_name_has_nul(const struct skim_member *m);

/** The content of a value that is a string without escapes, NULL otherwise; the caller frees it. */
char *skim_string(const struct skim_member *m);

/** A copy of the value without the white space between its tokens; the caller frees it. */
char *skim_compact(const struct skim_member *m);
