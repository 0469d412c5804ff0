#include "devcluster/podplan.h"

#include <json-c/json.h>
#include <string.h>

#include "base/field.h"
#include "base/mem.h"
#include "base/text.h"
#include "devcluster/tree.h"

enum { USER = 65532, STRING_MAX = 2 << 20 };

static const char *env_value(const struct args *env, const char *name, size_t len)
{
    for (size_t i = env->n; i >= 2; i -= 2) /* the last one wins */
        if (strlen(env->v[i - 2]) == len && memcmp(env->v[i - 2], name, len) == 0)
            return env->v[i - 1];
    return NULL;
}

int podplan_expand(const char *text, const struct args *env, struct buf *ret, struct fault *f)
{
    while (*text) {
        const char *end, *value;

        if (text[0] == '$' && text[1] == '$') { /* $$ is a $ that starts nothing */
            if (buf_add(ret, "$", 1, f) < 0)
                return -1;
            text += 2;
            continue;
        }
        end = text[0] == '$' && text[1] == '(' ? strchr(text, ')') : NULL;
        value = end ? env_value(env, text + 2, (size_t)(end - text - 2)) : NULL;
        if (value) {
            if (buf_add_string(ret, value, f) < 0)
                return -1;
            text = end + 1;
        } else if (buf_add(ret, text++, 1, f) < 0) {
            return -1;
        }
    }
    return 0;
}

static int add_expanded(struct args *to, const char *text, const struct args *env, struct fault *f)
{
    _cleanup_(buf_release)
    struct buf b = BUF_INIT(STRING_MAX);

    if (podplan_expand(text, env, &b, f) < 0)
        return -1;
    args_add(to, buf_str(&b));
    return 0;
}

static const char *field_ref(struct json_object *pod, struct json_object *one)
{
    const char *path = tree_string(one, "valueFrom.fieldRef.fieldPath");

    return path ? tree_string(pod, path) : NULL;
}

static int read_env(struct json_object *pod, struct json_object *container, struct sandbox_plan *plan, struct fault *f)
{
    struct json_object *env = field_peek(container, "env");

    args_add_all(&plan->env, "PATH", "/usr/local/bin:/usr/bin:/bin", "HOME", "/", "HOSTNAME", plan->hostname, NULL);
    for (size_t i = 0; env && i < json_object_array_length(env); i++) {
        struct json_object *one = json_object_array_get_idx(env, i);
        const char *value = field_peek_string(one, "value"), *ref = field_ref(pod, one);
        struct args values = {0};

        if (!value)
            value = ref ? ref : "";
        if (add_expanded(&values, value, &plan->env, f) < 0)
            return -1;
        args_add_all(&plan->env, field_peek_string(one, "name"), values.v[0], NULL);
        args_release(&values);
    }
    return 0;
}

static int read_words(struct json_object *container, const char *name, struct sandbox_plan *plan, struct fault *f)
{
    struct json_object *list = field_peek(container, name);

    for (size_t i = 0; list && i < json_object_array_length(list); i++) {
        const char *word;

        if (field_element(list, i, STRING_MAX, &word, f) < 0 || add_expanded(&plan->argv, word, &plan->env, f) < 0)
            return -1;
    }
    return 0;
}

static int64_t security_number(struct json_object *pod, struct json_object *container, const char *name)
{
    _cleanup_free_ char *path = mem_format("securityContext.%s", name);
    int64_t n = tree_int(container, path, -1);

    if (n < 0)
        n = tree_int(tree_at(pod, "spec"), path, -1);
    return n < 0 || n > 65534 ? USER : n;
}

static int read_memory(struct json_object *container, int64_t *ret, struct fault *f)
{
    const char *text = tree_string(container, "resources.limits.memory");

    *ret = tree_int(container, "resources.limits.memory", 0);
    return text ? text_to_bytes(text, ret, f) : 0;
}

int podplan_read(struct json_object *pod, struct sandbox_plan *plan, struct fault *f)
{
    struct json_object *container = json_object_array_get_idx(tree_at(pod, "spec.containers"), 0);
    const char *path = field_peek_string(container, "terminationMessagePath");

    plan->hostname = mem_format("%.63s", tree_string(pod, "metadata.name"));
    plan->workdir = mem_string(field_peek_string(container, "workingDir"));
    plan->termination_path = mem_string(path && path[0] == '/' ? path : "/dev/termination-log");
    plan->uid = security_number(pod, container, "runAsUser");
    plan->gid = security_number(pod, container, "runAsGroup");
    plan->writable_tmp = !tree_bool(container, "securityContext.readOnlyRootFilesystem");
    if (read_memory(container, &plan->memory, f) < 0 || read_env(pod, container, plan, f) < 0)
        return -1;
    return read_words(container, "command", plan, f) < 0 ? -1 : read_words(container, "args", plan, f);
}
