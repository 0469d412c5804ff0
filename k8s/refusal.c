#include "k8s/refusal.h"

#include <string.h>

#include "k8s/auth.h"
#include "k8s/http.h"

bool refusal_is_quota(const struct fault *f)
{
    return f->kind == FAULT_REFUSED && f->code == 403 &&
           (strstr(f->text, "exceeded quota") || strstr(f->text, "status unknown for quota"));
}

/* `jobs.batch "x" is forbidden: User "u" cannot ...`, or `forbidden: User "u" cannot get path "/"`
 * [kubernetes apiserver/pkg/endpoints/handlers/responsewriters]. What admission refuses begins otherwise behind the
 * first colon, and what stands before that colon is a name, which has no blanks. */
bool refusal_is_forbidden(const struct fault *f)
{
    static const char word[] = "forbidden: ", user[] = "User \"";
    const char *at = strstr(f->text, word);

    return f->kind == FAULT_REFUSED && f->code == 403 && at &&
           strncmp(at + sizeof(word) - 1, user, sizeof(user) - 1) == 0;
}

bool refusal_is_access(const struct fault *f)
{
    return refusal_is_forbidden(f) || (f->kind == FAULT_REFUSED && f->code == 401) || f->code == HTTP_UNTRUSTED ||
           f->code == AUTH_PLUGIN;
}
