/* A plan of any bytes: taken or refused with a reason; what was taken is within its ceilings. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runner/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *bytes = malloc(size + 1);
    struct why why = {""};
    struct plan p;

    if (!bytes)
        abort();
    memcpy(bytes, data, size);
    if (plan_parse(bytes, size, &p, &why) == 0) {
        if (!p.argv[0] || p.cwd[0] != '/' || p.timeout_ms < 1 || p.case_count > PLAN_CASES_MAX)
            abort();
        for (size_t i = 0; i < p.file_count; i++)
            if (!p.files[i].path[0] || p.files[i].path[0] == '/' || p.files[i].mode > 0777)
                abort();
        for (size_t i = 0; i < p.case_count; i++)
            if (!p.cases[i].args)
                abort();
        plan_release(&p);
    } else if (!why.text[0]) {
        abort(); /* refused without a reason */
    }
    free(bytes);
    return 0;
}
