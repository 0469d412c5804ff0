/* The input is one or two files, parted by the first 0xff; from the second one on is the list of both. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "k8s/kubeconfig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *cut = size ? memchr(data, 0xff, size) : NULL;
    size_t first = cut ? (size_t)(cut - data) : size;
    char *one = mem_bytes(data, first), *two = cut ? mem_bytes(cut + 1, size - first - 1) : mem_string("");
    const char *const files[] = {"/one/config", "two"};
    const char *const texts[] = {one, two};
    struct kubeconfig *c = NULL;
    struct fault f = FAULT_INIT;

    if (kubeconfig_parse(files, texts, 2, NULL, &c, &f) == 0) {
        if (!c || !c->server || !c->namespace_ || !c->context)
            abort();
        if (c->server[strlen(c->server) - 1] == '/' && strlen(c->server) > 8)
            abort();
        if (c->insecure_skip_tls_verify && (c->ca_file || c->ca_data))
            abort();
        kubeconfig_free(c);
    } else if (c || f.kind == FAULT_NONE || !f.text[0]) {
        abort();
    }
    free(one);
    free(two);
    return 0;
}
