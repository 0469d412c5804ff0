#pragma once
#include "base/loop.h"
#include "k8s/attach.h"

/* Attaching on the fake loop: linked in place of k8s/attach.c. One script for all that begin from then on. */

struct fake_attach {
    void (*model)(struct fake_attach *ret, int64_t now_ms); /* says the rest when it begins; or NULL */
    const char *bytes;                                      /* what is heard; NULL: nothing */
    int64_t bytes_ms;                                       /* after the start */
    size_t piece;                                           /* bytes at once, a millisecond apart; 0: all */
    int64_t end_ms;     /* after the start, in place of attach_start()'s limit; -1: that it is */
    bool opened;        /* at its end */
    struct fault fault; /* of its end; FAULT_NONE: the server ended it */
};

/** NULL: what is left of the scripts before is forgotten. */
void fake_attach_is(struct loop *l, const struct fake_attach *script);

int fake_attach_count(void);       /* started since fake_attach_is() */
int fake_attach_live(void);        /* not ended */
int64_t fake_attach_last_ms(void); /* loop time of the last start */
