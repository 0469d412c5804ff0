#pragma once
#include <json-c/json_types.h>
#include <stdbool.h>

#include "base/cleanup.h"
#include "base/fault.h"

/* labelSelector and fieldSelector of list, watch and deletecollection:
 *
 *     app=x,tier!=db,env in (a,b),zone notin (c),gpu,!spot        fields: metadata.name=x,status.phase!=Running
 */

struct selector;

/** Parses both texts (NULL or "": everything matches). `fields` names what may be selected by beside metadata.name
 *  and metadata.namespace, ended by NULL; NULL: nothing more. FAULT_INVALID otherwise. */
int selector_parse(const char *labels, const char *field_text, const char *const fields[], struct selector **ret,
                   struct fault *f);
void selector_free(struct selector *s);
DEFINE_CLEANUP(struct selector, selector_free)

/** Whether the object (metadata.labels and all) is selected; `s` NULL selects everything. */
bool selector_matches(const struct selector *s, struct json_object *object);
