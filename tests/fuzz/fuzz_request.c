/* A request: whatever was pushed, reading it ends in a request or in a fault that says why. */
#include <json-c/json.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "queue/keys.h"
#include "queue/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_peek(const char *bytes, size_t len)
{
    char *id = NULL, *reply_to = NULL;

    request_peek(bytes, len, &id, &reply_to);
    if ((id && !key_is_id(id)) || (reply_to && !key_is_name(reply_to)))
        abort();
    free(id);
    free(reply_to);
}

static void check_inputs(const struct request *r)
{
    if (!r->outputs || (r->case_count > 0) != (r->cases != NULL) || r->case_count > REQUEST_CASES_MAX ||
        r->file_count > REQUEST_LIST_MAX || (r->in.bytes && r->cases))
        abort();
    for (size_t i = 0; i < r->file_count; i++) {
        const struct request_file *file = &r->files[i];

        if (!file->path || file->path[0] == '/' || strstr(file->path, "//") || !file->content.bytes ||
            file->content.bytes[file->content.len] || file->mode > 0777)
            abort();
    }
    for (size_t i = 0; i < r->case_count; i++)
        if (!r->cases[i].args || r->cases[i].timeout_ms <= 0 || r->cases[i].timeout_ms > 3600000)
            abort();
}

static void check_request(const struct request *r, const char *id)
{
    if (!id || strcmp(id, r->id) != 0 || !r->language || !r->args || !r->env || r->timeout_ms <= 0 ||
        r->timeout_ms > 3600000)
        abort();
    if (r->reply_to && !key_is_name(r->reply_to))
        abort();
    check_inputs(r);
    if (r->meta) { /* goes out as it came in: must still be JSON */
        struct json_object *again = json_tokener_parse(json_object_to_json_string(r->meta));

        if (!again)
            abort();
        json_object_put(again);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct request_limits limits = {.payload_max = 1 << 20, .timeout_ms = 1000, .timeout_max_ms = 3600000};
    struct request *r = NULL;
    struct fault f = FAULT_INIT;
    char *id = NULL;

    check_peek((const char *)data, size);
    if (request_parse((const char *)data, size, &limits, &r, &id, &f) == 0)
        check_request(r, id);
    else if (r || !*f.text || (f.kind != FAULT_INVALID && f.kind != FAULT_REFUSED && f.kind != FAULT_TOO_BIG))
        abort();
    if (id && !key_is_id(id))
        abort();
    request_free(r);
    free(id);
    return 0;
}
