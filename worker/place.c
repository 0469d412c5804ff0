#include "worker/place.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/field.h"
#include "base/log.h"
#include "base/mem.h"
#include "k8s/pod_time.h"

enum {
    JOB_JSON_MAX = 64 << 10,      /* beside argv, args and env, which the request bounds */
    CONFIGMAP_JSON_MAX = 8 << 20, /* 1 MiB of code, each byte at most six characters of JSON */
    CLEAR_WAIT_MS = 500,          /* between looks at a name that is being cleared */
    CLEAR_PATIENCE_MS = 60000,    /* then the attempt fails */
};

static void create_job(struct place *p);
static void inspect_job(struct place *p);
static void store_code(struct place *p);
static void inspect_code(struct place *p);

static void report(struct place *p, const struct verdict *why)
{
    p->fn(p->arg, why);
}

static void fail_call(struct place *p, const struct fault *f, const char *doing)
{
    struct verdict v;

    verdict_of_fault(f, doing, &v);
    report(p, &v);
}

/* The request asks for something that does not fit into an object: not the cluster's fault. */
static void fail_build(struct place *p, const struct fault *f)
{
    struct verdict v;

    verdict_of_reason(REASON_NONE, true, f->text, &v);
    v.status = STATUS_REJECTED;
    report(p, &v);
}

static void set_string(char **at, const char *value)
{
    char *copy = mem_string(value);

    free(*at);
    *at = copy;
}

static bool same(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

static const char *uid_of(struct json_object *object)
{
    return field_peek_string(field_peek(object, "metadata"), "uid");
}

/* Without it nothing could be deleted safely: what has none is no answer of an API server. */
static const char *uid_or_fail(struct place *p, struct json_object *object)
{
    const char *uid = uid_of(object);
    struct verdict v;

    if (uid)
        return uid;
    verdict_of_reason(REASON_API, false, "the API server answered with an object without a uid", &v);
    report(p, &v);
    return NULL;
}

static bool is_deleting(struct json_object *object)
{
    return field_peek_string(field_peek(object, "metadata"), "deletionTimestamp") != NULL;
}

/* --- a name is taken: how long we put up with it --------------------------------------------------------------- */

static void be_patient(struct place *p)
{
    if (!p->clear_until_ms)
        p->clear_until_ms = loop_now(p->loop) + CLEAR_PATIENCE_MS;
}

static void create_now(void *arg)
{
    struct place *p = arg;

    if (p->next == KUBE_JOB)
        create_job(p);
    else
        store_code(p);
}

static void wait_for_name(struct place *p, enum kube_kind kind)
{
    struct verdict v;

    p->next = kind;
    if (loop_now(p->loop) < p->clear_until_ms) {
        loop_after(p->loop, &p->timer, CLEAR_WAIT_MS, create_now, p);
        return;
    }
    verdict_of_reason(REASON_API, false, "another object keeps the name of our Job", &v);
    report(p, &v);
}

static void on_cleared(void *arg, const struct kube_reply *reply, const struct fault *f)
{
    struct place *p = arg;

    (void)reply;
    p->call = NULL;
    if (f && f->kind != FAULT_GONE && f->code != 409)
        fail_call(p, f, "delete what has our name");
    else
        wait_for_name(p, p->next);
}

static void clear_name(struct place *p, enum kube_kind kind, const char *uid)
{
    p->next = kind;
    p->call = kube_delete(p->kube, kind, p->name, uid, on_cleared, p);
}

/* --- the Job ------------------------------------------------------------------------------------------------- */

static void on_job_created(void *arg, const struct kube_reply *reply, const struct fault *f)
{
    struct place *p = arg;
    const char *uid;

    p->call = NULL;
    if (f && f->kind == FAULT_EXISTS) {
        be_patient(p);
        inspect_job(p);
    } else if (f) {
        fail_call(p, f, "create Job");
    } else if ((uid = uid_or_fail(p, reply->object))) {
        set_string(&p->job_uid, uid);
        p->stood_ms = loop_now(p->loop);
        store_code(p);
    }
}

static void create_job(struct place *p)
{
    _cleanup_(buf_release)
    struct buf body = BUF_INIT(JOB_JSON_MAX + p->attempt.config->payload_max * 6);
    struct fault f = FAULT_INIT;

    if (attempt_job(&p->attempt, &body, &f) < 0)
        fail_build(p, &f);
    else
        p->call = kube_create(p->kube, KUBE_JOB, buf_str(&body), body.len, on_job_created, p);
}

/* --- its name is taken --------------------------------------------------------------------------------------- */

static bool is_over(struct json_object *job)
{
    struct json_object *conditions = field_peek(field_peek(job, "status"), "conditions"), *c;
    size_t n = json_object_is_type(conditions, json_type_array) ? json_object_array_length(conditions) : 0;

    while (n-- > 0) {
        c = json_object_array_get_idx(conditions, n);
        if ((same(field_peek_string(c, "type"), "Failed") || same(field_peek_string(c, "type"), "Complete")) &&
            same(field_peek_string(c, "status"), "True"))
            return true;
    }
    return false;
}

static void on_job_inspected(void *arg, const struct kube_reply *reply, const struct fault *f)
{
    struct place *p = arg;
    struct json_object *meta, *notes, *labels;
    const char *worker, *uid;

    p->call = NULL;
    if (f && f->kind == FAULT_GONE) {
        wait_for_name(p, KUBE_JOB);
        return;
    }
    if (f) {
        fail_call(p, f, "look at the Job that has our name");
        return;
    }
    uid = uid_or_fail(p, reply->object);
    if (!uid)
        return;
    meta = field_peek(reply->object, "metadata");
    notes = field_peek(meta, "annotations");
    labels = field_peek(meta, "labels");
    worker = field_peek_string(labels, LABEL_WORKER);
    if (is_deleting(reply->object) || !same(field_peek_string(notes, ANNOTATION_DIGEST), p->attempt.request->digest) ||
        !same(field_peek_string(labels, LABEL_UID), p->attempt.uid)) {
        clear_name(p, KUBE_JOB, uid);
        return;
    }
    set_string(&p->job_uid, uid);
    p->found = true;
    p->created_ms = pod_time(field_peek_string(meta, "creationTimestamp"));
    p->over = is_over(reply->object);
    p->adopted = !same(worker, p->attempt.worker);
    log_info("adopted", STR("req", p->attempt.request->id), STR("job", p->name), STR("from", worker));
    store_code(p);
}

static void inspect_job(struct place *p)
{
    p->call = kube_get(p->kube, KUBE_JOB, p->name, on_job_inspected, p);
}

/* --- the ConfigMap, owned by the Job: deleting the Job deletes both ------------------------------------------ */

static void on_code_stored(void *arg, const struct kube_reply *reply, const struct fault *f)
{
    struct place *p = arg;

    (void)reply;
    p->call = NULL;
    if (f && f->kind == FAULT_EXISTS) {
        be_patient(p);
        inspect_code(p);
    } else if (f) {
        fail_call(p, f, "create ConfigMap");
    } else {
        report(p, NULL);
    }
}

static void store_code(struct place *p)
{
    _cleanup_(buf_release)
    struct buf body = BUF_INIT(CONFIGMAP_JSON_MAX);
    struct fault f = FAULT_INIT;

    if (attempt_configmap(&p->attempt, p->job_uid, &body, &f) < 0)
        fail_build(p, &f);
    else
        p->call = kube_create(p->kube, KUBE_CONFIGMAP, buf_str(&body), body.len, on_code_stored, p);
}

/* One that belongs to an earlier Job of this name is on its way out with it. */
static void on_code_inspected(void *arg, const struct kube_reply *reply, const struct fault *f)
{
    struct place *p = arg;
    struct json_object *owners;
    const char *owner = NULL, *uid;

    p->call = NULL;
    if (f && f->kind == FAULT_GONE) {
        wait_for_name(p, KUBE_CONFIGMAP);
        return;
    }
    if (f) {
        fail_call(p, f, "look at the ConfigMap that has our name");
        return;
    }
    owners = field_peek(field_peek(reply->object, "metadata"), "ownerReferences");
    if (json_object_is_type(owners, json_type_array) && json_object_array_length(owners) > 0)
        owner = field_peek_string(json_object_array_get_idx(owners, 0), "uid");
    if (same(owner, p->job_uid) && !is_deleting(reply->object))
        report(p, NULL);
    else if ((uid = uid_or_fail(p, reply->object)))
        clear_name(p, KUBE_CONFIGMAP, uid);
}

static void inspect_code(struct place *p)
{
    p->call = kube_get(p->kube, KUBE_CONFIGMAP, p->name, on_code_inspected, p);
}

/* --- from outside --------------------------------------------------------------------------------------------- */

void place_begin(struct place *p, struct loop *l, struct kube *k, const struct attempt *a, place_fn *fn, void *arg)
{
    place_release(p);
    p->loop = l;
    p->kube = k;
    p->attempt = *a;
    p->fn = fn;
    p->arg = arg;
    attempt_name(a, p->name);
    p->next = KUBE_JOB;
    loop_defer(l, &p->timer, create_now, p); /* what cannot even be built is told by the callback, too */
}

void place_stop(struct place *p)
{
    kube_cancel(&p->call);
    loop_cancel(&p->timer);
}

void place_release(struct place *p)
{
    place_stop(p);
    free(p->job_uid);
    *p = (struct place){0};
}
