#pragma once
#include <stdbool.h>
#include <stddef.h>

/* Walks through JSON in its own bytes, without building anything: for what a parser cannot give, the beginning of a
 * text that is cut off and the very characters of a value, and to leave out what nobody reads before it is parsed. It
 * is no validator. */

struct skim {
    const char *at, *end;
};

/* --- step by step; where false is returned `at` stands anywhere ------------------------------------------------- */

void skim_space(struct skim *s);

/** The character, and white space before it. False: another one stands there. */
bool skim_take(struct skim *s, char c);

/** From the opening quotation mark to behind the closing one. */
bool skim_string(struct skim *s);

/** Over any value that stands there in full: a number or a word at the very end may be cut, and counts as such. Only
 *  the depth of brackets is counted, not which they are. */
bool skim_value(struct skim *s);

/* --- the members of an object ------------------------------------------------------------------------------------- */

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

/** Whether it has this name, written without escapes. */
bool skim_member_is(const struct skim_member *m, const char *name);

/** Whether the name holds an escaped NUL, at which json-c would end it. */
bool skim_member_has_nul(const struct skim_member *m);

/** The content of a value that is a string without escapes, NULL otherwise; the caller frees it. */
char *skim_member_text(const struct skim_member *m);

/** A copy of the value without the white space between its tokens; the caller frees it. */
char *skim_member_compact(const struct skim_member *m);
