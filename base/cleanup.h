#pragma once

/* Locals that clean up after themselves, and the way to hand one over.
 *
 *     _cleanup_(request_freep) struct request *r = request_new();
 *     if (read_id(r, root, f) < 0)
 *         return -1;              // r is freed
 *     *ret_request = TAKE(r);     // now the caller's
 */

#define _cleanup_(fn) __attribute__((cleanup(fn)))

/** The pointer's value; the variable itself becomes NULL. */
#define TAKE(p)                                  \
    ({                                           \
        __typeof__(p) *take_from_ = &(p);        \
        __typeof__(p) take_value_ = *take_from_; \
        *take_from_ = NULL;                      \
        take_value_;                             \
    })

/** Defines `<fn>p`, a cleanup for a pointer of that type. `fn` is called only with what is not NULL. */
#define DEFINE_CLEANUP(type, fn)       \
    static inline void fn##p(type **p) \
    {                                  \
        if (*p)                        \
            fn(*p);                    \
    }

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static inline void cleanup_freep(void *p)
{
    void **pp = p;
    __builtin_free(*pp);
}
#define _cleanup_free_ _cleanup_(cleanup_freep)
