#include "worker/runner_map.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/field.h"
#include "base/mem.h"
#include "k8s/manifest.h"
#include "k8s/refusal.h"

enum {
    NAME_CHARS = RUNNER_MAP_NAME - sizeof("execq-runner-"),
    ROUNDS = 4, /* of get and create: others may create and delete it in between */
};

struct runner_map {
    struct kube *kube;
    const struct runner_program *programs;
    size_t count;
    char name[RUNNER_MAP_NAME];
    struct kube_call *call;
    int rounds;
    runner_map_fn *fn;
    void *arg;
};

void runner_map_name(const struct runner_program *programs, size_t count, char ret[RUNNER_MAP_NAME])
{
    _cleanup_(buf_release)
    struct buf list = BUF_INIT(64 * 1024);
    unsigned char digest[DIGEST_BYTES];
    char text[NAME_CHARS + 1], hex[DIGEST_HEX];
    struct fault f;

    for (size_t i = 0; i < count; i++) {
        digest_sha256_hex(programs[i].bytes, programs[i].len, hex);
        if (buf_addf(&list, &f, "%s %s\n", programs[i].arch, hex) < 0)
            abort();
    }
    digest_sha256(list.data, list.len, digest);
    digest_base32(digest, NAME_CHARS, text);
    snprintf(ret, RUNNER_MAP_NAME, "execq-runner-%s", text);
}

int runner_map_json(const struct runner_program *programs, size_t count, struct buf *out, struct fault *f)
{
    _cleanup_free_ struct manifest_file *files = mem_zero(count, sizeof(*files));
    char name[RUNNER_MAP_NAME];

    runner_map_name(programs, count, name);
    for (size_t i = 0; i < count; i++)
        files[i] = (struct manifest_file){programs[i].arch, programs[i].bytes, programs[i].len};
    return manifest_runner_map(name, files, count, out, f);
}

/* --- what is there ------------------------------------------------------------------------------------------------ */

static bool is_same(struct json_object *binary, const struct runner_program *p)
{
    _cleanup_(buf_release)
    struct buf bytes = BUF_INIT(p->len + 1); /* one more than is right: then it differs */
    const char *text = field_peek_string(binary, p->arch);
    struct fault f;

    return text && digest_base64_decode(text, strlen(text), &bytes, &f) == 0 && bytes.len == p->len &&
           memcmp(bytes.data, p->bytes, p->len) == 0;
}

static bool is_ours(const struct runner_map *m, struct json_object *object)
{
    struct json_object *binary = field_peek(object, "binaryData");

    for (size_t i = 0; i < m->count; i++)
        if (!is_same(binary, &m->programs[i]))
            return false;
    return true;
}

/* --- asking ------------------------------------------------------------------------------------------------------- */

static void look(struct runner_map *m);

static void answer(struct runner_map *m, const struct fault *f)
{
    runner_map_fn *fn = TAKE(m->fn);

    fn(m->arg, f);
}

static void fail(struct runner_map *m, const struct fault *from, const char *doing)
{
    struct fault f = *from;

    fault_wrap(&f, "%s the runner's ConfigMap %s", doing, m->name);
    answer(m, &f);
}

static void on_created(void *arg, const struct kube_reply *reply, const struct fault *f)
{
    struct runner_map *m = arg;
    struct fault own = FAULT_INIT;

    (void)reply;
    m->call = NULL;
    if (!f)
        answer(m, NULL);
    else if (f->kind == FAULT_EXISTS)
        look(m); /* another worker was quicker, or our own first try was not lost after all */
    else if (f->kind == FAULT_REFUSED && f->code == 403 && !refusal_is_quota(f)) {
        fault_set(&own, FAULT_REFUSED,
                  "ConfigMap %s is missing and may not be created: \"execq-worker --runner-manifest | kubectl -n %s "
                  "create -f -\" makes it",
                  m->name, kube_namespace(m->kube));
        own.code = f->code;
        answer(m, &own);
    } else
        fail(m, f, "creating");
}

static void create(struct runner_map *m)
{
    _cleanup_(buf_release)
    struct buf json = BUF_INIT(RUNNER_MAP_JSON_MAX);
    struct fault f = FAULT_INIT;

    if (runner_map_json(m->programs, m->count, &json, &f) < 0)
        fail(m, &f, "writing");
    else
        m->call = kube_create(m->kube, KUBE_CONFIGMAP, json.data, json.len, on_created, m);
}

static void on_looked(void *arg, const struct kube_reply *reply, const struct fault *f)
{
    struct runner_map *m = arg;
    struct fault own = FAULT_INIT;

    m->call = NULL;
    if (f && f->kind == FAULT_GONE)
        create(m);
    else if (f)
        fail(m, f, "reading");
    else if (is_ours(m, reply->object))
        answer(m, NULL);
    else {
        fault_set(&own, FAULT_INVALID,
                  "ConfigMap %s holds something else than this worker's runner: \"kubectl -n %s delete configmap "
                  "%s\", then start the worker again",
                  m->name, kube_namespace(m->kube), m->name);
        answer(m, &own);
    }
}

static void look(struct runner_map *m)
{
    struct fault f = FAULT_INIT;

    if (m->rounds++ < ROUNDS) {
        m->call = kube_get(m->kube, KUBE_CONFIGMAP, m->name, on_looked, m);
        return;
    }
    fault_set(&f, FAULT_TRANSIENT, "ConfigMap %s comes and goes", m->name);
    answer(m, &f);
}

void runner_map_ask(struct runner_map *m, runner_map_fn *fn, void *arg)
{
    if (m->fn)
        abort(); /* one at a time */
    m->fn = fn;
    m->arg = arg;
    m->rounds = 0;
    look(m);
}

struct runner_map *runner_map_new(struct kube *k, const struct runner_program *programs, size_t count)
{
    struct runner_map *m = mem_new(struct runner_map);

    m->kube = k;
    m->programs = programs;
    m->count = count;
    runner_map_name(programs, count, m->name);
    return m;
}

void runner_map_free(struct runner_map *m)
{
    if (!m)
        return;
    kube_cancel(&m->call);
    free(m);
}

const char *runner_map_get_name(const struct runner_map *m)
{
    return m->name;
}
