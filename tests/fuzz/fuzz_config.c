/* A configuration file of any bytes: taken or refused with a reason, never more. */
#include <stdint.h>
#include <stdlib.h>

#include "worker/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *const argv[] = {(char *)"execq-worker", NULL}, *const environment[] = {NULL};
    struct config c = CONFIG_INIT;
    enum config_action action;
    struct fault f = FAULT_INIT;

    if (config_load(&c, 1, argv, environment, &action, &f) < 0)
        abort();
    if (config_read_text(&c, "fuzz", (const char *)data, size, &f) < 0 && f.kind == FAULT_NONE)
        abort(); /* refused without a reason */
    config_release(&c);
    return 0;
}
