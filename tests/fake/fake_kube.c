#include "fake_kube.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/field.h"
#include "base/mem.h"
#include "k8s/manifest.h"
#include "worker/report.h"

enum { ANSWER_MS = 10 };

struct object {
    struct kube *kube;
    enum kube_kind kind;
    struct json_object *json;
    struct loop_timer *timer; /* of a Job: the next thing its pod does; of a deleted one: its end */
    enum { NO_POD, WAITS, RUNS, ENDED } pod;
    int64_t created_ms, started_ms, finished_ms;
    TAILQ_ENTRY(object) entry;
};

struct kube_call {
    struct kube *kube;
    enum fake_verb verb;
    enum kube_kind kind;
    char *name, *body, *uid;
    kube_fn *fn;
    void *arg;
    struct loop_timer *timer;
    TAILQ_ENTRY(kube_call) entry;
};

struct pods_follower {
    struct pods *pods;
    char *job_uid;
    pods_fn *fn;
    void *arg;
    struct loop_timer *first;
    TAILQ_ENTRY(pods_follower) entry;
};

struct pods {
    struct kube *kube;
    char *label; /* NULL: one that sees every Job */
};

struct order {
    enum fake_verb verb;
    enum kube_kind kind;
    struct fault fault;
    bool done;
    int times;
};

/* What the runner says of a run: in the log, and in the pod's status. */
struct script {
    char *id; /* end of the ids that it is for; NULL: all others */
    struct fake_run run;
    char *log, *message;
    int log_reads;
};

struct kube {
    int64_t slow_ms;
    struct loop *loop;
    struct script script[9]; /* the first one is everybody's */
    size_t scripts;
    int64_t clock_ahead_ms;
    struct order order[8];
    size_t orders;
    int count[FAKE_LOG + 1][KUBE_EVENT + 1], calls, uids;
    char *created[KUBE_EVENT + 1]; /* the last of each kind */
    TAILQ_HEAD(, object) objects;
    TAILQ_HEAD(, kube_call) live;
    TAILQ_HEAD(, pods_follower) followers;
};

struct kube *fake_kube_new(struct loop *l)
{
    struct kube *k = mem_new(struct kube);

    k->loop = l;
    k->scripts = 1;
    TAILQ_INIT(&k->objects);
    TAILQ_INIT(&k->live);
    TAILQ_INIT(&k->followers);
    fake_kube_run(k, NULL);
    return k;
}

/* What the runner says, and how it gets it out. */
static void write_report(struct script *k)
{
    const struct fake_run *run = &k->run;
    struct json_object *out = json_object_new_string(run->log ? run->log : "");
    _cleanup_free_ char *report = NULL;
    char digest[DIGEST_HEX];

    free(k->log);
    free(k->message);
    k->log = k->message = NULL;
    if (run->report)
        report = mem_string(run->report);
    else if (run->word)
        report = mem_format("{\"execq_report\":1,\"isolation\":\"full\",\"run\":{%s,\"wall_ms\":150,\"cpu_ms\":20,"
                            "\"max_rss_bytes\":4096,\"stdout\":%s,\"stdout_bytes\":%zu,\"stderr\":\"\","
                            "\"stderr_bytes\":0},\"wall_ms\":160}",
                            run->word, json_object_to_json_string(out), strlen(json_object_get_string(out)));
    json_object_put(out);
    if (!report)
        return;
    k->log = mem_format("%s\n", report);
    digest_sha256_hex(report, strlen(report), digest);
    k->message = run->long_report ? mem_format("{\"execq_report\":1,\"lines\":1,\"bytes\":%zu,\"sha256\":\"%s\"}",
                                               strlen(report), digest)
                                  : mem_string(report);
}

void fake_kube_run(struct kube *k, const struct fake_run *run)
{
    struct fake_run usual = {.schedule_ms = 20,
                             .start_ms = 300,
                             .run_ms = 200,
                             .waiting = {.exit_code = -1, .signal = -1},
                             .end = {.exit_code = 0, .signal = -1},
                             .word = "\"end\":\"exit\",\"exit_code\":0",
                             .log = "42\n"};

    k->script[0].run = run ? *run : usual;
    k->script[0].log_reads = 0;
    write_report(&k->script[0]);
}

void fake_kube_run_for(struct kube *k, const char *id, const struct fake_run *run)
{
    struct script *s = NULL;

    for (size_t i = 1; i < k->scripts; i++)
        if (strcmp(k->script[i].id, id) == 0)
            s = &k->script[i];
    if (!s) {
        if (k->scripts == COUNT_OF(k->script))
            abort();
        s = &k->script[k->scripts++];
        s->id = mem_string(id);
    }
    s->run = *run;
    s->log_reads = 0;
    write_report(s);
}

static void free_object(struct object *o)
{
    TAILQ_REMOVE(&o->kube->objects, o, entry);
    loop_cancel(&o->timer);
    json_object_put(o->json);
    free(o);
}

void kube_free(struct kube *k)
{
    struct object *o;
    struct kube_call *c;

    while ((o = TAILQ_FIRST(&k->objects)))
        free_object(o);
    while ((c = TAILQ_FIRST(&k->live)))
        kube_cancel(&c);
    for (size_t i = 0; i < COUNT_OF(k->created); i++)
        free(k->created[i]);
    for (size_t i = 0; i < k->scripts; i++) {
        free(k->script[i].id);
        free(k->script[i].log);
        free(k->script[i].message);
    }
    free(k);
}

static struct json_object *meta_of(struct json_object *json)
{
    return field_peek(json, "metadata");
}

static const char *meta_string(struct object *o, const char *name)
{
    return field_peek_string(meta_of(o->json), name);
}

static struct object *find(struct kube *k, enum kube_kind kind, const char *name)
{
    struct object *o;

    TAILQ_FOREACH (o, &k->objects, entry)
        if (o->kind == kind && strcmp(meta_string(o, "name"), name) == 0)
            return o;
    return NULL;
}

/* How the pod of a Job behaves; `job` NULL: as most do. */
static struct script *script_of(struct kube *k, struct object *job)
{
    const char *id = job ? field_peek_string(field_peek(meta_of(job->json), "annotations"), ANNOTATION_ID) : NULL;

    for (size_t i = 1; id && i < k->scripts; i++) {
        size_t len = strlen(k->script[i].id);

        if (strlen(id) >= len && strcmp(id + strlen(id) - len, k->script[i].id) == 0)
            return &k->script[i];
    }
    return &k->script[0];
}

/* --- pods ------------------------------------------------------------------------------------------------------ */

static bool sees(const struct pods *p, struct object *job)
{
    const char *label = field_peek_string(field_peek(meta_of(job->json), "labels"), LABEL_WORKER);

    return !p->label || (label && strcmp(p->label, label) == 0);
}

static void show(struct pods_follower *f, struct object *job, bool gone)
{
    const struct script *script = script_of(job->kube, job);
    const struct fake_run *run = &script->run;
    struct pod_state s = job->pod == ENDED ? run->end : run->waiting;
    char name[128];

    if (job->pod == NO_POD || !sees(f->pods, job))
        return;
    snprintf(name, sizeof(name), "%s-abcde", meta_string(job, "name"));
    s.name = name;
    s.node = job->pod == WAITS && !run->assigned ? NULL : "node1";
    s.scheduled = s.node != NULL;
    s.stage = job->pod == ENDED ? POD_ENDED : job->pod == RUNS ? POD_STARTED : POD_WAITING;
    if (job->pod == RUNS)
        s.cause = POD_FINE;
    s.started_ms = job->started_ms;
    s.finished_ms = job->finished_ms;
    if (job->pod == ENDED && script->message) {
        s.exit_code = REPORT_EXIT_CODE;
        s.termination = script->message;
    }
    f->fn(f->arg, gone ? NULL : &s);
}

static void tell(struct object *job, bool gone)
{
    struct pods_follower *f, *after;

    for (f = TAILQ_FIRST(&job->kube->followers); f; f = after) {
        after = TAILQ_NEXT(f, entry);
        if (strcmp(f->job_uid, meta_string(job, "uid")) == 0)
            show(f, job, gone);
    }
}

static int64_t node_time(const struct kube *k)
{
    return (loop_wall(k->loop) + k->clock_ahead_ms) / 1000 * 1000;
}

static void move_pod(void *arg)
{
    struct object *job = arg;
    const struct fake_run *run = &script_of(job->kube, job)->run;
    int64_t next = -1;

    job->pod++;
    if (job->pod == WAITS)
        next = run->start_ms;
    if (job->pod == RUNS) {
        job->started_ms = node_time(job->kube);
        next = run->run_ms;
    }
    if (job->pod == ENDED && job->started_ms)
        job->finished_ms = node_time(job->kube);
    if (next >= 0)
        loop_after(job->kube->loop, &job->timer, next, move_pod, job);
    if (job->pod != ENDED || !run->unseen)
        tell(job, job->pod == ENDED && run->vanish);
}

static void begin_pod(struct kube *k, const char *name)
{
    struct object *job = find(k, KUBE_JOB, name);
    const struct fake_run *run = &script_of(k, job)->run;

    if (job && find(k, KUBE_CONFIGMAP, name) && job->pod == NO_POD && !job->timer && run->schedule_ms >= 0 &&
        !meta_string(job, "deletionTimestamp"))
        loop_after(k->loop, &job->timer, run->schedule_ms, move_pod, job);
}

struct pods *pods_new(struct kube *k, const char *selector, const char *container, const struct pods_events *e)
{
    (void)selector;
    (void)container;
    (void)e;
    return fake_pods_new(k, NULL);
}

struct pods *fake_pods_new(struct kube *k, const char *label)
{
    struct pods *p = mem_new(struct pods);

    p->kube = k;
    p->label = mem_string(label);
    return p;
}

void pods_free(struct pods *p)
{
    if (!p)
        return;
    free(p->label);
    free(p);
}

static void show_first(void *arg)
{
    struct pods_follower *f = arg;
    struct object *o;

    TAILQ_FOREACH (o, &f->pods->kube->objects, entry)
        if (o->kind == KUBE_JOB && strcmp(meta_string(o, "uid"), f->job_uid) == 0) {
            show(f, o, false);
            return;
        }
}

struct pods_follower *pods_follow(struct pods *p, const char *job_uid, pods_fn *fn, void *arg)
{
    struct pods_follower *f = mem_new(struct pods_follower);

    *f = (struct pods_follower){.pods = p, .job_uid = mem_string(job_uid), .fn = fn, .arg = arg};
    TAILQ_INSERT_TAIL(&p->kube->followers, f, entry);
    loop_defer(p->kube->loop, &f->first, show_first, f);
    return f;
}

void pods_unfollow(struct pods_follower **follower)
{
    struct pods_follower *f = TAKE(*follower);

    if (!f)
        return;
    loop_cancel(&f->first);
    TAILQ_REMOVE(&f->pods->kube->followers, f, entry);
    free(f->job_uid);
    free(f);
}

/* --- calls -------------------------------------------------------------------------------------------------------- */

static void end_call(struct kube_call *c)
{
    TAILQ_REMOVE(&c->kube->live, c, entry);
    loop_cancel(&c->timer);
    free(c->name);
    free(c->body);
    free(c->uid);
    free(c);
}

void kube_cancel(struct kube_call **call)
{
    struct kube_call *c = TAKE(*call);

    if (c)
        end_call(c);
}

static void really_gone(void *arg)
{
    free_object(arg);
}

static void remove_job(struct kube *k, struct object *job)
{
    struct object *code = find(k, KUBE_CONFIGMAP, meta_string(job, "name"));
    const char *owner = code ? field_peek_string(meta_of(code->json), "owner") : NULL;

    if (owner && strcmp(owner, meta_string(job, "uid")) == 0)
        free_object(code);
    free_object(job);
}

/* The list of the one pod that is asked for, as far as anybody looks at it. A pod's name is its Job's and six
 * characters. */
static struct json_object *pods_of(struct kube *k, char *name)
{
    struct json_object *list, *message;
    const struct script *script;
    struct object *job;
    char *json, *state;

    name[strlen(name) - 6] = '\0';
    job = find(k, KUBE_JOB, name);
    script = script_of(k, job);
    message = json_object_new_string(script->message ? script->message : "");
    state = !job || job->pod < RUNS ? mem_string("")
            : job->pod == RUNS      ? mem_string("\"running\":{}")
                                    : mem_format("\"terminated\":{\"exitCode\":%d,\"reason\":\"Error\",\"message\":%s}",
                                            script->message ? REPORT_EXIT_CODE : script->run.end.exit_code,
                                                 json_object_to_json_string(message));
    json = mem_format("{\"items\":[{\"status\":{\"containerStatuses\":[{\"name\":\"" MANIFEST_CONTAINER
                      "\",\"state\":{%s}}]}}]}",
                      state);
    list = json_tokener_parse(json);
    json_object_put(message);
    free(json);
    free(state);
    if (!job)
        json_object_array_del_idx(field_peek(list, "items"), 0, 1);
    return list;
}

/* What the call does to the cluster; the reply's object is borrowed from it. */
static bool work(struct kube_call *c, struct json_object **ret, struct fault *f)
{
    struct kube *k = c->kube;
    struct object *o = c->name ? find(k, c->kind, c->name) : NULL;

    if (c->verb == FAKE_CREATE) {
        struct json_object *json = json_tokener_parse(c->body), *owners;
        char uid[32];

        o = find(k, c->kind, field_peek_string(meta_of(json), "name"));
        if (o) {
            json_object_put(json);
            fault_set(f, FAULT_EXISTS, "already exists");
            return false;
        }
        o = mem_new(struct object);
        *o = (struct object){.kube = k, .kind = c->kind, .json = json, .created_ms = loop_wall(k->loop)};
        snprintf(uid, sizeof(uid), "uid-%d", ++k->uids);
        json_object_object_add(meta_of(json), "uid", json_object_new_string(uid));
        owners = field_peek(meta_of(json), "ownerReferences");
        if (owners)
            json_object_object_add(
                meta_of(json), "owner",
                json_object_new_string(field_peek_string(json_object_array_get_idx(owners, 0), "uid")));
        TAILQ_INSERT_TAIL(&k->objects, o, entry);
        begin_pod(k, meta_string(o, "name"));
        *ret = o->json;
        return true;
    }
    if (c->verb == FAKE_LIST)
        return true;
    if (c->verb == FAKE_LOG) { /* a pod's name is its Job's and six characters */
        c->name[strlen(c->name) - 6] = '\0';
        o = find(k, KUBE_JOB, c->name);
    }
    if (!o) {
        fault_set(f, FAULT_GONE, "not found");
        f->code = 404;
        return false;
    }
    *ret = o->json;
    if (c->verb == FAKE_DELETE) {
        if (c->uid && strcmp(c->uid, meta_string(o, "uid")) != 0) {
            fault_set(f, FAULT_REFUSED, "uid does not match");
            f->code = 409;
            return false;
        }
        *ret = NULL;
        if (c->kind == KUBE_JOB)
            remove_job(k, o);
        else
            free_object(o);
    }
    return true;
}

static struct json_object *events_of(const struct kube *k)
{
    struct json_object *list = json_object_new_object(), *items = json_object_new_array(), *event;
    const struct fake_run *run = &k->script[0].run;

    if (run->event_reason) {
        event = json_object_new_object();
        json_object_object_add(event, "reason", json_object_new_string(run->event_reason));
        json_object_object_add(event, "message", json_object_new_string(run->event_message));
        if (run->event_uid) {
            struct json_object *about = json_object_new_object();

            json_object_object_add(about, "uid", json_object_new_string(run->event_uid));
            json_object_object_add(event, "involvedObject", about);
        }
        json_object_array_add(items, event);
    }
    json_object_object_add(list, "items", items);
    return list;
}

static struct order *order_for(struct kube *k, enum fake_verb verb, enum kube_kind kind)
{
    for (size_t i = 0; i < k->orders; i++)
        if (k->order[i].times > 0 && k->order[i].verb == verb && k->order[i].kind == kind)
            return &k->order[i];
    return NULL;
}

static void answer(void *arg)
{
    struct kube_call *c = arg;
    struct kube *k = c->kube;
    struct order *order = order_for(k, c->verb, c->kind);
    struct kube_reply reply = {.status = 200};
    struct script *script;
    struct json_object *object = NULL, *list = NULL;
    struct fault f = FAULT_INIT;
    kube_fn *fn = c->fn;
    void *fn_arg = c->arg;
    bool ok = true;

    if (!order || order->done)
        ok = work(c, &object, &f);
    if (order) {
        order->times--;
        f = order->fault;
        ok = false;
    }
    if (ok && c->verb == FAKE_LOG) {
        script = script_of(k, find(k, KUBE_JOB, c->name));
        reply.bytes = script->log && script->log_reads++ >= script->run.log_trails ? script->log : "";
        reply.len = strlen(reply.bytes);
        object = NULL;
    }
    if (ok && c->verb == FAKE_LIST)
        object = list = c->kind == KUBE_POD ? pods_of(k, c->name) : events_of(k);
    reply.object = ok && c->verb == FAKE_CREATE && k->script[0].run.no_uid ? json_object_new_object()
                                                                           : json_object_get(object);
    end_call(c);
    fn(fn_arg, ok ? &reply : NULL, ok ? NULL : &f);
    json_object_put(reply.object);
    json_object_put(list);
}

static struct kube_call *call(struct kube *k, enum fake_verb verb, enum kube_kind kind, const char *name, kube_fn *fn,
                              void *arg)
{
    struct kube_call *c = mem_new(struct kube_call);

    *c = (struct kube_call){.kube = k, .verb = verb, .kind = kind, .name = mem_string(name), .fn = fn, .arg = arg};
    TAILQ_INSERT_TAIL(&k->live, c, entry);
    k->count[verb][kind]++;
    k->calls++;
    loop_after(k->loop, &c->timer, ANSWER_MS + k->slow_ms, answer, c);
    return c;
}

struct kube_call *kube_create(struct kube *k, enum kube_kind kind, const char *body, size_t len, kube_fn *fn, void *arg)
{
    struct kube_call *c = call(k, FAKE_CREATE, kind, NULL, fn, arg);

    c->body = mem_bytes(body, len);
    free(k->created[kind]);
    k->created[kind] = mem_bytes(body, len);
    return c;
}

struct kube_call *kube_get(struct kube *k, enum kube_kind kind, const char *name, kube_fn *fn, void *arg)
{
    return call(k, FAKE_GET, kind, name, fn, arg);
}

struct kube_call *kube_list(struct kube *k, enum kube_kind kind, const char *selector, const char *fields, kube_fn *fn,
                            void *arg)
{
    static const char name[] = "metadata.name=";

    (void)selector;
    return call(k, FAKE_LIST, kind, fields && strncmp(fields, name, strlen(name)) == 0 ? fields + strlen(name) : NULL,
                fn, arg);
}

struct kube_call *kube_delete(struct kube *k, enum kube_kind kind, const char *name, const char *uid, kube_fn *fn,
                              void *arg)
{
    struct kube_call *c = call(k, FAKE_DELETE, kind, name, fn, arg);

    c->uid = mem_string(uid);
    return c;
}

struct kube_call *kube_log(struct kube *k, const char *pod, const char *container, size_t limit, int tail_lines,
                           kube_fn *fn, void *arg)
{
    (void)container;
    (void)limit;
    (void)tail_lines;
    return call(k, FAKE_LOG, KUBE_POD, pod, fn, arg);
}

bool kube_is_quota(const struct fault *f)
{
    return strstr(f->text, "exceeded quota") != NULL;
}

const char *kube_server(const struct kube *k)
{
    (void)k;
    return "https://10.0.0.1:6443";
}

const char *kube_namespace(const struct kube *k)
{
    (void)k;
    return "snippets";
}

bool kube_is_forbidden(const struct fault *f)
{
    return strstr(f->text, "is forbidden: User") != NULL;
}

bool kube_is_access(const struct fault *f)
{
    return f->code == 401 || kube_is_forbidden(f);
}

/* --- for the test ----------------------------------------------------------------------------------------------------
 */

void fake_kube_slow(struct kube *k, int64_t ms)
{
    k->slow_ms = ms;
}

void fake_kube_clock(struct kube *k, int64_t ahead_ms)
{
    k->clock_ahead_ms = ahead_ms;
}

void fake_kube_fault(struct kube *k, enum fake_verb verb, enum kube_kind kind, const struct fault *f, bool done,
                     int times)
{
    k->order[k->orders++] = (struct order){.verb = verb, .kind = kind, .fault = *f, .done = done, .times = times};
}

void fake_kube_plant_job(struct kube *k, const char *json, bool deleting)
{
    struct object *o = mem_new(struct object);

    *o = (struct object){.kube = k, .kind = KUBE_JOB, .json = json_tokener_parse(json)};
    json_object_object_add(meta_of(o->json), "uid", json_object_new_string("uid-planted"));
    TAILQ_INSERT_TAIL(&k->objects, o, entry);
    if (deleting) {
        json_object_object_add(meta_of(o->json), "deletionTimestamp", json_object_new_string("2026-01-01T00:00:00Z"));
        loop_after(k->loop, &o->timer, 3000, really_gone, o);
    }
}

void fake_kube_plant_configmap(struct kube *k, const char *name, const char *owner_uid)
{
    struct object *o = mem_new(struct object);
    char *json = mem_format("{\"metadata\":{\"name\":\"%s\",\"uid\":\"uid-code\",\"owner\":\"%s\","
                            "\"ownerReferences\":[{\"uid\":\"%s\"}]}}",
                            name, owner_uid, owner_uid);

    *o = (struct object){.kube = k, .kind = KUBE_CONFIGMAP, .json = json_tokener_parse(json)};
    TAILQ_INSERT_TAIL(&k->objects, o, entry);
    free(json);
}

void fake_kube_plant_json(struct kube *k, enum kube_kind kind, const char *json)
{
    struct object *o = mem_new(struct object);

    *o = (struct object){.kube = k, .kind = kind, .json = json_tokener_parse(json)};
    TAILQ_INSERT_TAIL(&k->objects, o, entry);
}

int fake_kube_count(const struct kube *k, enum fake_verb verb, enum kube_kind kind)
{
    return k->count[verb][kind];
}

int fake_kube_calls(const struct kube *k)
{
    return k->calls;
}

size_t fake_kube_live(const struct kube *k)
{
    struct kube_call *c;
    struct pods_follower *f;
    size_t n = 0;

    TAILQ_FOREACH (c, &k->live, entry)
        n++;
    TAILQ_FOREACH (f, &k->followers, entry)
        n++;
    return n;
}

size_t fake_kube_objects(const struct kube *k)
{
    struct object *o;
    size_t n = 0;

    TAILQ_FOREACH (o, &k->objects, entry)
        n++;
    return n;
}

const char *fake_kube_created(const struct kube *k, enum kube_kind kind)
{
    return k->created[kind] ? k->created[kind] : "";
}
