#include "k8s/pod_time.h"

#include <stdbool.h>
#include <stddef.h>

/* Reads exactly `digits` digits and the character after them (0: none is asked for). */
static bool number(const char **at, int digits, char after, int min, int max, int *ret)
{
    int n = 0;

    for (int i = 0; i < digits; i++, (*at)++) {
        if (**at < '0' || **at > '9')
            return false;
        n = n * 10 + (**at - '0');
    }
    if (after && *(*at)++ != after)
        return false;
    *ret = n;
    return n >= min && n <= max;
}

/* Days since 1970-01-01 in the Gregorian calendar. */
static int64_t days_of(int year, int month, int day)
{
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    int64_t y = year - (month <= 2), leaps = y / 4 - y / 100 + y / 400;

    return (int64_t)(year - 1970) * 365 + leaps - 477 + before[month - 1] + day - 1;
}

static bool zone(const char *at, int *ret_minutes)
{
    int sign = *at == '-' ? -1 : 1, hours, minutes;

    *ret_minutes = 0;
    if (*at == 'Z' || *at == 'z')
        return at[1] == '\0';
    if ((*at != '+' && *at != '-') || (at++, !number(&at, 2, ':', 0, 23, &hours)) ||
        !number(&at, 2, 0, 0, 59, &minutes) || *at)
        return false;
    *ret_minutes = sign * (hours * 60 + minutes);
    return true;
}

int64_t pod_time(const char *text)
{
    int year, month, day, hour, minute, second, offset, milli = 0;
    const char *at = text;

    if (!text || !number(&at, 4, '-', 1970, 9999, &year) || !number(&at, 2, '-', 1, 12, &month) ||
        !number(&at, 2, 0, 1, 31, &day) || (*at != 'T' && *at != 't') || (at++, !number(&at, 2, ':', 0, 23, &hour)) ||
        !number(&at, 2, ':', 0, 59, &minute) || !number(&at, 2, 0, 0, 60, &second))
        return 0;
    if (*at == '.') {
        int weight = 100;

        if (at[1] < '0' || at[1] > '9')
            return 0;
        for (at++; *at >= '0' && *at <= '9'; at++, weight /= 10)
            milli += weight * (*at - '0');
    }
    if (!zone(at, &offset))
        return 0;
    return (((days_of(year, month, day) * 24 + hour) * 60 + minute - offset) * 60 + second) * 1000 + milli;
}
