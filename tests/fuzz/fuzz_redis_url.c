/* A Redis URL: read or refused, and the password never shows. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "queue/redis_url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int shows(const char *masked, const char *password)
{
    char *needle = mem_format(":%s@", password);
    int found = strstr(masked, needle) != NULL && strcmp(password, "***") != 0;

    free(needle);
    return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = mem_bytes(data, size), *masked = redis_url_masked(text);
    struct redis_url u = {0};
    struct fault f = FAULT_INIT;

    if (redis_url_parse(text, &u, &f) == 0) {
        if (!u.host == !u.path || u.port < 0 || u.port > 65535 || u.db < 0 || (u.user && !u.password))
            abort();
        if (u.password && *u.password && shows(masked, u.password))
            abort();
        redis_url_release(&u);
    } else if (f.kind != FAULT_INVALID || u.host || u.path) {
        abort();
    }
    free(masked);
    free(text);
    return 0;
}
