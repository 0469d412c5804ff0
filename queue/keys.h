#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/fault.h"

/* Every Redis key of execq, in one place (docs/protocol.md has the table). All keys of a queue share the hash tag
 * {queue}: one slot of a Redis Cluster. */

enum { KEY_MAX = 256 }; /* no key is longer: names have at most 64 characters, ids at most 128 */

/** Whether `name` may be a queue, tenant or reply name: 1 to 64 of A-Z a-z 0-9 . _ - */
bool key_is_name(const char *name);
/** Whether `id` may be a request's id: 1 to 128 of A-Z a-z 0-9 . _ : - */
bool key_is_id(const char *id);

/** "execq:{queue}:suffix"; `ret` has room for KEY_MAX bytes and is returned. `queue` is a valid name. */
char *key_of(char ret[KEY_MAX], const char *queue, const char *suffix);

/** "execq:{queue}:kind:name", for result:, reply:, task:, cancel:, claims:, worker:. */
char *key_for(char ret[KEY_MAX], const char *queue, const char *kind, const char *name);
