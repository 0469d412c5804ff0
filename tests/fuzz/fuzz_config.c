/* A configuration file of any bytes: taken or refused with a reason, never more. Languages that were taken are printed
 * in a form that is taken again and printed the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "worker/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void print_again(struct languages *languages)
{
    for (size_t i = 0; i < languages->count; i++) {
        _cleanup_free_ char *text = language_text(&languages->list[i]), *again = NULL;
        struct fault f;

        if (languages_set(languages, text, &f) < 0)
            abort();
        again = language_text(&languages->list[i]);
        if (strcmp(text, again) != 0)
            abort();
    }
}

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
    print_again(&c.languages);
    config_release(&c);
    return 0;
}
