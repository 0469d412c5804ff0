#include "k8s/quota.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum { VALUE_MAX = 40 };

/* The value of `name` (of `len` characters) in a list "a=1,b=2" that ends at ", " or with the text. */
static bool value_of(const char *list, const char *name, size_t len, char ret[VALUE_MAX])
{
    for (const char *at = list; *at && *at != ' ';) {
        size_t pair = strcspn(at, ", ");

        if (pair > len && strncmp(at, name, len) == 0 && at[len] == '=' && pair - len - 1 < VALUE_MAX) {
            snprintf(ret, VALUE_MAX, "%.*s", (int)(pair - len - 1), at + len + 1);
            return true;
        }
        at += pair;
        at += *at == ',';
    }
    return false;
}

/* In thousandths, so that CPUs and counts, bytes too, can be compared; false for what would overflow. */
static bool read(const char *text, int64_t *ret)
{
    struct fault f;

    if (text_to_milli_cpu(text, ret, &f) == 0)
        return true;
    if (text_to_bytes(text, ret, &f) < 0 || *ret > INT64_MAX / 1000)
        return false;
    *ret *= 1000;
    return true;
}

bool quota_never_fits(const char *message)
{
    static const char asked[] = "requested: ", most[] = "limited: ";
    const char *requested = strstr(message, asked), *limited = strstr(message, most);

    if (!requested || !limited || limited < requested)
        return false;
    limited += sizeof(most) - 1;
    for (requested += sizeof(asked) - 1; *requested && *requested != ' ';) {
        size_t pair = strcspn(requested, ", "), len = strcspn(requested, "=, ");
        char a[VALUE_MAX], b[VALUE_MAX];
        int64_t want, have;

        if (value_of(requested, requested, len, a) && value_of(limited, requested, len, b) && read(a, &want) &&
            read(b, &have) && have > 0 && want > have)
            return true; /* at 0 the door is shut, perhaps for a while; nobody's request is too large for that */
        requested += pair;
        requested += *requested == ',';
    }
    return false;
}
