#include "cli/cases.h"

#include <json-c/json.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/field.h"
#include "cli/outcome.h"
#include "cli/tally.h"

static void print_one(FILE *to, size_t i, struct json_object *one, const char *verdict)
{
    const char *status = field_peek_string(one, "status");
    int64_t ms = field_peek_int(field_peek(one, "usage"), "wall_ms", -1);
    _cleanup_free_ char *ended = NULL;

    fprintf(to, "%4zu  %-*s", i, status ? 9 : 0, verdict);
    if (status) {
        ended = outcome_ended(status, (int)field_peek_int(one, "exit_code", -1), (int)field_peek_int(one, "signal", -1),
                              NULL);
        fprintf(to, "  %-*s", ms >= 0 ? 18 : 0, ended);
    }
    if (status && ms >= 0)
        fprintf(to, "  %lld.%03lld s", (long long)ms / 1000, (long long)ms % 1000);
    fputc('\n', to);
}

void cases_print(FILE *to, struct json_object *cases)
{
    struct tally t = {0};
    size_t n = json_object_array_length(cases);

    fputs("case  verdict    ended               time\n", to);
    for (size_t i = 0; i < n; i++) {
        struct json_object *one = json_object_array_get_idx(cases, i);
        const char *verdict = field_peek_string(one, "verdict");

        verdict = verdict ? verdict : "unknown";
        tally_add(&t, verdict);
        print_one(to, i, one, verdict);
    }
    fprintf(to, "%zu case%s:", n, n == 1 ? "" : "s");
    for (size_t i = 0; i < t.n; i++)
        fprintf(to, "%s %zu %s", i ? "," : "", t.list[i].count, t.list[i].status);
    fputc('\n', to);
}
