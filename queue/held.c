#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "queue/seat.h"

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct held *)a)->token, ((const struct held *)b)->token);
}

static void free_one(void *p)
{
    struct held *h = p;

    free(h->token);
    free(h->id);
    free(h->digest);
    free(h);
}

struct held *held_find(struct queue *q, const char *token)
{
    struct held key = {.token = (char *)token};
    void *node = tfind(&key, &q->held, compare);

    return node ? *(struct held **)node : NULL;
}

struct held *held_add(struct queue *q, const char *token)
{
    struct held *h = mem_new(struct held);

    h->token = mem_string(token);
    if (!tsearch(h, &q->held, compare))
        abort(); /* out of memory, as in mem.c */
    q->held_count++;
    return h;
}

void held_remove(struct queue *q, const char *token)
{
    struct held *h = held_find(q, token);

    if (!h)
        return;
    tdelete(h, &q->held, compare);
    q->held_count--;
    free_one(h);
}

struct walk {
    struct held **list;
    size_t n;
};

static void collect(const void *node, VISIT visit, void *arg)
{
    struct walk *w = arg;

    if (visit == postorder || visit == leaf)
        w->list[w->n++] = *(struct held *const *)node;
}

void held_each(struct queue *q, void (*fn)(struct queue *q, struct held *h))
{
    struct walk w = {.list = mem_zero(q->held_count + 1, sizeof(struct held *))};
    char **token = mem_zero(q->held_count + 1, sizeof(char *));

    twalk_r(q->held, collect, &w);
    for (size_t i = 0; i < w.n; i++)
        token[i] = mem_string(w.list[i]->token);
    for (size_t i = 0; i < w.n; i++) {
        struct held *h = held_find(q, token[i]); /* an earlier call may have removed it */

        if (h)
            fn(q, h);
        free(token[i]);
    }
    free(token);
    free(w.list);
}

void held_free(struct queue *q)
{
    tdestroy(q->held, free_one);
    q->held = NULL;
    q->held_count = 0;
}

/* "17:worker": the number grows with time. */
int64_t token_number(const char *token)
{
    return strtoll(token, NULL, 10);
}
