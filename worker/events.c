#include "worker/events.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/field.h"

/* A Job that is made anew has the name of the one before, whose events stay for an hour. */
static bool is_about(struct json_object *event, const char *uid)
{
    const char *whose = field_peek_string(field_peek(event, "involvedObject"), "uid");

    return !uid || !whose || strcmp(whose, uid) == 0;
}

/*
 * Did the API server say no to the pod, or did it only not get round to it? The Job controller goes on trying, so a
 * conflict on a busy ResourceQuota ("the object has been modified", seen on Kubernetes 1.35) or a timeout cures itself.
 * Refusals by Pod Security, quotas, limits, webhooks and missing RuntimeClasses or accounts are all worded like this;
 * and so is what one says that has just started and knows nothing yet [kubernetes apiserver pkg/admission/handler.go,
 * plugin/pkg/admission/serviceaccount].
 */
static bool is_refusal(const char *message)
{
    if (strstr(message, "not yet ready to handle request") || strstr(message, "error looking up service account"))
        return false;
    return strstr(message, " is forbidden") || strstr(message, "denied the request") || strstr(message, " is invalid");
}

bool events_explain(struct json_object *events, const char *uid, struct verdict *ret, bool *ret_final)
{
    struct json_object *items = field_peek(events, "items");
    size_t n = json_object_is_type(items, json_type_array) ? json_object_array_length(items) : 0;
    bool found = false;

    *ret_final = false;
    while (n-- > 0) {
        struct json_object *event = json_object_array_get_idx(items, n);
        const char *reason = field_peek_string(event, "reason"), *message = field_peek_string(event, "message");
        struct fault f = {.kind = FAULT_REFUSED, .code = 403};

        if (!reason || !is_about(event, uid))
            continue;
        snprintf(f.text, sizeof(f.text), "%s", message ? message : "");
        if (strcmp(reason, "FailedMount") == 0 || strcmp(reason, "FailedAttachVolume") == 0) {
            verdict_of_reason(REASON_MOUNT, false, f.text, ret);
            return true;
        }
        if (strcmp(reason, "FailedCreate") != 0)
            continue;
        if (is_refusal(f.text)) {
            verdict_of_fault(&f, "the Job gets no pod", ret);
            *ret_final = true;
            return true;
        }
        verdict_of_reason(REASON_START, false, f.text, ret);
        found = true;
    }
    return found;
}
