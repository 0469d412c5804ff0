#include <json-c/json.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/field.h"
#include "base/mem.h"
#include "k8s/pod_state.h"
#include "k8s/pod_time.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json_object *pod = NULL;
    struct fault f = FAULT_INIT;
    struct pod_state s;
    char *text = mem_bytes(data, size);

    pod_time(text);
    free(text);
    if (field_parse((const char *)data, size, 64, &pod, &f) < 0)
        return 0;
    pod_state_read(pod, "code", &s);
    if (s.stage > POD_ENDED || strcmp(pod_cause_name(s.cause), "unknown") == 0)
        abort();
    if (s.stage != POD_ENDED && (s.exit_code != -1 || s.signal != -1 || s.termination))
        abort();
    if (s.exit_code < -1 || s.exit_code > 255 || s.signal < -1 || s.signal == 0 || s.signal > 64)
        abort();
    json_object_put(pod);
    return 0;
}
