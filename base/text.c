#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

int text_to_int(const char *s, int64_t min, int64_t max, int64_t *ret, struct fault *f)
{
    char *end;
    long long v;

    errno = 0;
    v = strtoll(s, &end, 10);
    if (end == s || *end || isspace((unsigned char)*s) || errno)
        return fault_set(f, FAULT_INVALID, "\"%.40s\" is not a whole number", s);
    if (v < min || v > max)
        return fault_set(f, FAULT_INVALID, "%lld is not between %lld and %lld", v, (long long)min, (long long)max);
    *ret = v;
    return 0;
}

struct unit {
    const char *suffix;
    double factor;
};

/* Rounds up, but for the dust that binary fractions leave: 16.1 * 1000 is a little more than 16100. */
static double up(double v)
{
    return fabs(v - nearbyint(v)) <= v * 1e-14 ? nearbyint(v) : ceil(v);
}

/* A plain decimal number and one of the units; the product rounded up, as Kubernetes does. */
static int to_quantity(const char *s, const struct unit *units, size_t n, const char *what, int64_t *ret,
                       struct fault *f)
{
    char *end;
    double v;

    if (!isdigit((unsigned char)s[0]) || strpbrk(s, "xXpP"))
        return fault_set(f, FAULT_INVALID, "\"%.40s\" is not %s", s, what);
    v = strtod(s, &end);
    for (size_t i = 0; i < n; i++)
        if (strcmp(end, units[i].suffix) == 0) {
            v = up(v * units[i].factor);
            if (!(v >= 0 && v <= 9e15))
                return fault_set(f, FAULT_INVALID, "\"%.40s\" is too large", s);
            *ret = (int64_t)v;
            return 0;
        }
    return fault_set(f, FAULT_INVALID, "\"%.40s\" is not %s", s, what);
}

int text_to_bytes(const char *s, int64_t *ret_bytes, struct fault *f)
{
    static const struct unit units[] = {
        {"", 1},         {"k", 1e3},         {"M", 1e6},
        {"G", 1e9},      {"T", 1e12},        {"Ki", 1024},
        {"Mi", 1048576}, {"Gi", 1073741824}, {"Ti", 1099511627776.0},
    };

    return to_quantity(s, units, COUNT_OF(units), "a size such as 512Mi", ret_bytes, f);
}

int text_to_milli_cpu(const char *s, int64_t *ret_milli, struct fault *f)
{
    static const struct unit units[] = {{"", 1000}, {"m", 1}};

    return to_quantity(s, units, COUNT_OF(units), "a number of CPUs such as 500m or 2", ret_milli, f);
}

int text_to_ms(const char *s, int64_t *ret_ms, struct fault *f)
{
    static const struct unit units[] = {{"", 1000}, {"s", 1000}, {"ms", 1}, {"m", 60000}, {"h", 3600000}};

    return to_quantity(s, units, COUNT_OF(units), "a time such as 30s", ret_ms, f);
}

bool text_is_name(const char *s, size_t max, const char *extra)
{
    size_t n = 0;

    for (; s[n]; n++)
        if (n >= max || !(isalnum((unsigned char)s[n]) || strchr(extra, s[n])))
            return false;
    return n > 0;
}
