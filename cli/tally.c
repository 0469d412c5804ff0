#include "cli/tally.h"

#include <stdio.h>
#include <string.h>

void tally_add(struct tally *t, const char *status)
{
    size_t i = 0;

    while (i < t->n && strcmp(t->list[i].status, status) != 0)
        i++;
    if (i == TALLY_MAX)
        i--;
    if (i == t->n) {
        snprintf(t->list[i].status, sizeof(t->list[i].status), "%s", status);
        t->n++;
    }
    t->list[i].count++;
}

size_t tally_of(const struct tally *t, const char *status)
{
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->list[i].status, status) == 0)
            return t->list[i].count;
    return 0;
}
