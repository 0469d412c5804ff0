#pragma once
#include <json-c/json_types.h>

/** What clients ask first: /version, /api, /apis, /api/v1, /apis/batch/v1, ..., and as much of /openapi/v3 as kubectl
 *  needs to leave checking to the server. Owned by the caller; NULL if there is no such page. */
struct json_object *discovery_page(const char *path);
