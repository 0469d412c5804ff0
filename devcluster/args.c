#include "devcluster/args.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

static void take(struct args *a, char *text)
{
    a->v = mem_resize(a->v, a->n + 2, sizeof(*a->v));
    a->v[a->n++] = text;
    a->v[a->n] = NULL;
}

void args_add(struct args *a, const char *text)
{
    take(a, mem_string(text));
}

void args_add_all(struct args *a, ...)
{
    const char *word;
    va_list list;

    va_start(list, a);
    while ((word = va_arg(list, const char *)))
        args_add(a, word);
    va_end(list);
}

void args_addf(struct args *a, const char *format, ...)
{
    char *text;
    va_list list;

    va_start(list, format);
    if (vasprintf(&text, format, list) < 0)
        abort(); /* out of memory, as in mem.c */
    va_end(list);
    take(a, text);
}

void args_release(struct args *a)
{
    for (size_t i = 0; i < a->n; i++)
        free(a->v[i]);
    free(a->v);
    *a = (struct args){0};
}
