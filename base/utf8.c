#include "base/utf8.h"

/* The length of the well-formed character at the start of the bytes, 0 if there is none. Table 3-7 of the Unicode
 * standard. */
static size_t utf8_character(const unsigned char *s, size_t len)
{
    size_t n;
    unsigned char low = 0x80, high = 0xbf;

    if (s[0] < 0x80)
        return s[0] ? 1 : 0;
    if (s[0] < 0xc2 || s[0] > 0xf4)
        return 0;
    n = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    if (s[0] == 0xe0)
        low = 0xa0;
    else if (s[0] == 0xed)
        high = 0x9f;
    else if (s[0] == 0xf0)
        low = 0x90;
    else if (s[0] == 0xf4)
        high = 0x8f;
    if (len < n || s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

bool utf8_is_valid(const char *bytes, size_t len)
{
    while (len > 0) {
        size_t n = utf8_character((const unsigned char *)bytes, len);

        if (n == 0)
            return false;
        bytes += n;
        len -= n;
    }
    return true;
}

size_t utf8_floor(const char *bytes, size_t len)
{
    size_t back = 0;

    while (back < 3 && back < len && ((unsigned char)bytes[len - 1 - back] & 0xc0) == 0x80)
        back++;
    if (back < len) {
        unsigned char lead = (unsigned char)bytes[len - 1 - back];
        size_t need = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;

        if (need > back + 1)
            return len - 1 - back;
    }
    return len;
}
