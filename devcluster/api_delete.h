#pragma once
#include <stdbool.h>

/* The verbs delete and deletecollection: DeleteOptions, preconditions, and what the answer is. */

struct call;
struct object;
struct selector;

void api_delete_one(struct call *call, struct object *o);

/** All that are in the call's scope; `s` stays the caller's. */
void api_delete_all(struct call *call, const struct selector *s);

/** Of api.c: whether an object is of the call's namespace and selected. */
bool api_in_scope(const struct call *call, const struct object *o, const struct selector *s);
