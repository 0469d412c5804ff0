#include "runner/compare.h"

static bool blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

void compare_init(struct compare *c, enum compare_mode mode)
{
    *c = (struct compare){.mode = mode};
    sha256_init(&c->sure);
    c->lines = c->ahead = c->sure;
}

static size_t run_of(const char *s, size_t len, bool blanks)
{
    size_t n = 0;

    while (n < len && blank(s[n]) == blanks)
        n++;
    return n;
}

/* Blanks may turn out to be the end of a line, or to stand inside one: both states are kept. */
static void trimmed_blanks(struct compare *c, const char *s, size_t len)
{
    size_t from = 0;

    if (c->open) {
        c->sure = c->lines = c->ahead;
        c->open = false;
    }
    for (size_t i = 0; i < len; i++)
        if (s[i] == '\n') {
            sha256_add(&c->lines, "\n", 1);
            c->ahead = c->lines;
            from = i + 1;
        }
    sha256_add(&c->ahead, s + from, len - from);
}

static void tokens_word(struct compare *c, const char *s, size_t len)
{
    if (c->gap && c->word)
        sha256_add(&c->sure, " ", 1);
    c->word = true;
    c->gap = false;
    sha256_add(&c->sure, s, len);
}

void compare_add(struct compare *c, const char *s, size_t len)
{
    if (c->mode == COMPARE_EXACT) {
        sha256_add(&c->sure, s, len);
        return;
    }
    while (len > 0) {
        bool blanks = blank(s[0]);
        size_t n = run_of(s, len, blanks);

        if (c->mode == COMPARE_TOKENS && blanks) {
            c->gap = true;
        } else if (c->mode == COMPARE_TOKENS) {
            tokens_word(c, s, n);
        } else if (blanks) {
            trimmed_blanks(c, s, n);
        } else {
            sha256_add(&c->ahead, s, n);
            c->open = true;
        }
        s += n;
        len -= n;
    }
}

void compare_end(struct compare *c, unsigned char ret[SHA256_BYTES])
{
    sha256_end(c->open ? &c->ahead : &c->sure, ret);
}
