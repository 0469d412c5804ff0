#include "runner/emit.h"

#include <stdio.h>
#include <string.h>

#include "runner/bytes.h"

static void put(struct emit *j, const char *s)
{
    j->take(j->arg, s, strlen(s));
}

/* The comma and "name": names are literals of the runner's and need no escapes. */
static void begin(struct emit *j, const char *name, const char *suffix)
{
    if (j->comma)
        put(j, ",");
    j->comma = true;
    if (!name)
        return;
    put(j, "\"");
    put(j, name);
    put(j, suffix);
    put(j, "\":");
}

void emit_open(struct emit *j, const char *name, char bracket)
{
    begin(j, name, "");
    j->take(j->arg, &bracket, 1);
    j->comma = false;
}

void emit_close(struct emit *j, char bracket)
{
    j->take(j->arg, &bracket, 1);
    j->comma = true;
}

void emit_int(struct emit *j, const char *name, int64_t n)
{
    char text[24];

    begin(j, name, "");
    snprintf(text, sizeof(text), "%lld", (long long)n);
    put(j, text);
}

void emit_true(struct emit *j, const char *name, bool write)
{
    if (!write)
        return;
    begin(j, name, "");
    put(j, "true");
}

/* What stands for a byte in a string: at most 6 characters; its own self is not copied, "" is returned. */
static const char *escape(unsigned char c, char into[8])
{
    static const char digits[] = "0123456789abcdef";

    if (c == '"' || c == '\\' || c == '\n' || c == '\t' || c == '\r') {
        into[0] = '\\';
        into[1] = c == '\n' ? 'n' : c == '\t' ? 't' : c == '\r' ? 'r' : (char)c;
        into[2] = 0;
    } else if (c < 0x20 || c == 0x7f) {
        memcpy(into, "\\u00", 4);
        into[4] = digits[c >> 4];
        into[5] = digits[c & 15];
        into[6] = 0;
    } else {
        into[0] = 0;
    }
    return into;
}

static bool worth_text(const char *bytes, size_t len)
{
    size_t extra = 0;
    char e[8];

    if (!bytes_are_text(bytes, len))
        return false;
    for (size_t i = 0; i < len; i++) {
        size_t n = strlen(escape((unsigned char)bytes[i], e));

        extra += n ? n - 1 : 0;
    }
    return extra <= len + 16; /* base64 never makes it more than that */
}

static void put_text(struct emit *j, const char *bytes, size_t len)
{
    size_t from = 0;
    char e[8];

    for (size_t i = 0; i < len; i++)
        if (*escape((unsigned char)bytes[i], e)) {
            j->take(j->arg, bytes + from, i - from);
            put(j, e);
            from = i + 1;
        }
    j->take(j->arg, bytes + from, len - from);
}

static void put_base64(struct emit *j, const char *bytes, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *s = (const unsigned char *)bytes;

    for (size_t i = 0; i < len; i += 3) {
        size_t n = len - i < 3 ? len - i : 3;
        unsigned v = (unsigned)s[i] << 16 | (n > 1 ? (unsigned)s[i + 1] << 8 : 0) | (n > 2 ? s[i + 2] : 0);
        char four[4] = {digits[v >> 18], digits[v >> 12 & 63], n > 1 ? digits[v >> 6 & 63] : '=',
                        n > 2 ? digits[v & 63] : '='};

        j->take(j->arg, four, 4);
    }
}

void emit_bytes(struct emit *j, const char *name, const char *bytes, size_t len)
{
    bool text = worth_text(bytes, len);

    begin(j, name, text ? "" : "_base64");
    put(j, "\"");
    if (text)
        put_text(j, bytes, len);
    else
        put_base64(j, bytes, len);
    put(j, "\"");
}
