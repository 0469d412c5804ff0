/* The life of one request, in the order it happens.
 *
 *   read-request -> admit -> run -> settle -> tidy -> finished
 *
 *   a request that cannot be run:               bury -> finished
 *   an answer that Redis refuses for good:      set-aside -> tidy -> finished
 *   anything that goes wrong before settle:     fail(), then settle: another attempt (through `delayed`) or a result
 *   we are leaving:                             hand-back -> finished
 *
 * go() is the only place that changes the step, fail() the only way out of the order. A step is a pair x / on_x.
 * Settle comes before tidy: a crash between them leaves litter, which the sweeper or the Job's TTL removes, not a lost
 * result. A program that exits with 1 is a result; a fault is only what our side or the cluster did. */
#include "worker/pipeline.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/field.h"
#include "base/log.h"
#include "base/mem.h"
#include "worker/answer.h"
#include "worker/history.h"
#include "worker/retry.h"
#include "worker/run.h"

enum { RECORD_TTL_S = 30 * 24 * 3600 }; /* of an unfinished request's record */

enum step_id {
    READ_REQUEST,
    ADMIT,
    RUN,
    SETTLE,
    TIDY,
    BURY,
    SET_ASIDE,
    HAND_BACK,
    FINISHED,
};

struct pipeline {
    const struct pipeline_context *x;
    struct queue_claim *claim;
    pipeline_done_fn *on_done;
    void *arg;

    enum step_id at;
    struct kube_call *call;   /* the one call to the cluster under way */
    struct loop_timer *start; /* the first step, deferred */
    struct loop_timer *done;  /* on_done, deferred */
    bool asked;               /* a queue call is under way: it will come back, so we stay until it does */
    bool forgotten, leaving;
    bool same_name;   /* the next attempt was not charged: its Job will have the name of this one's */
    int64_t began_ms; /* loop time */

    struct request *request; /* NULL until it was understood */
    char *id, *reply_to;
    const struct language *language;
    struct queue_task task;
    struct history history;

    struct run run;
    struct verdict verdict;
    int64_t over_ms; /* since 1970, by Redis' clock: when it was known how the run ended */
};

static void read_request(struct pipeline *p);
static void admit(struct pipeline *p);
static void run_attempt(struct pipeline *p);
static void settle(struct pipeline *p);
static void tidy(struct pipeline *p);
static void bury(struct pipeline *p);
static void set_aside(struct pipeline *p);
static void hand_back(struct pipeline *p);
static void finish(struct pipeline *p);

/* clang-format off */
static const struct {
    const char *name;
    void (*enter)(struct pipeline *p);
    bool can_hand_back; /* nothing was decided yet */
} step[] = {
    [READ_REQUEST] = {"read-request", read_request, true},
    [ADMIT]        = {"admit",        admit,        true},
    [RUN]          = {"run",          run_attempt,  true},
    [SETTLE]       = {"settle",       settle,       false},
    [TIDY]         = {"tidy",         tidy,         false},
    [BURY]         = {"bury",         bury,         false},
    [SET_ASIDE]    = {"set-aside",    set_aside,    false},
    [HAND_BACK]    = {"hand-back",    hand_back,    false},
    [FINISHED]     = {"finished",     finish,       false},
};
/* clang-format on */

/* What is under way in the cluster ends here; nothing of it calls back any more. */
static void drop_calls(struct pipeline *p)
{
    kube_cancel(&p->call);
    loop_cancel(&p->start);
    run_stop(&p->run);
}

static void go(struct pipeline *p, enum step_id next)
{
    log_debug("step", STR("req", p->id), STR("from", step[p->at].name), STR("to", step[next].name));
    drop_calls(p);
    p->at = next;
    step[next].enter(p);
}

/* The only way off the path: settle decides what follows. The verdict may lie in `p` already. */
static void fail(struct pipeline *p, const struct verdict *v)
{
    if (v != &p->verdict)
        p->verdict = *v;
    if (p->verdict.status == STATUS_INFRA_ERROR && !p->verdict.hopeless && p->x->on_trouble)
        p->x->on_trouble(p->x->arg, p->verdict.reason);
    go(p, SETTLE);
}

/* Every answer of the queue comes through here first. False: it is not for the step any more. */
static bool answered(struct pipeline *p, enum queue_answer answer, const struct fault *f)
{
    p->asked = false;
    if (answer == QUEUE_FAILED) {
        log_error("queue-refused", STR("req", p->id), STR("step", step[p->at].name), STR("error", f->text));
        snprintf(p->verdict.message, sizeof(p->verdict.message), "%s: %.200s", step[p->at].name, f->text);
    }
    if (p->forgotten || answer == QUEUE_LOST)
        go(p, FINISHED);
    else if (answer == QUEUE_FAILED)
        go(p, p->at == SET_ASIDE || p->at == HAND_BACK ? FINISHED : SET_ASIDE);
    else
        return true;
    return false;
}

/* Redis' clock: by it things become due, and ours may be off by hours. */
static int64_t now_in_redis(const struct pipeline *p)
{
    return p->claim->claimed_ms + loop_now(p->x->loop) - p->began_ms;
}

/* --- read-request, bury: what cannot be run ------------------------------------------------------------------- */

static void refuse(struct pipeline *p, enum status status, const char *why)
{
    p->verdict = (struct verdict){.status = status, .hopeless = true, .exit_code = -1, .signal = -1};
    snprintf(p->verdict.message, sizeof(p->verdict.message), "%s", why);
    go(p, BURY);
}

static int choose_language(struct pipeline *p, struct fault *f)
{
    const char *image = p->request->image;

    p->language = languages_find(&p->x->config->languages, p->request->language);
    if (!p->language)
        return fault_set(f, FAULT_REFUSED, "language \"%s\" is not offered here", p->request->language);
    if (image && !config_allows_image(p->x->config, image))
        return fault_set(f, FAULT_REFUSED, "image \"%.100s\" is not allowed here (the worker's setting images)", image);
    return 0;
}

static void read_request(struct pipeline *p)
{
    const struct queue_claim *c = p->claim;
    _cleanup_free_ char *id = NULL;
    struct fault f = FAULT_INIT;

    if (c->oversized) {
        request_peek(c->payload, c->len, &p->id, &p->reply_to);
        fault_set(&f, FAULT_TOO_BIG, "the request has %zu bytes, at most %zu are taken (payload-max)", c->full_len,
                  p->x->limits->payload_max);
        refuse(p, STATUS_REJECTED, f.text);
        return;
    }
    if (request_parse(c->payload, c->len, p->x->limits, &p->request, &p->id, &f) < 0) {
        request_peek(c->payload, c->len, &id, &p->reply_to); /* who waits there, waits for this answer, too */
        refuse(p, f.kind == FAULT_REFUSED ? STATUS_REJECTED : STATUS_INVALID, f.text);
        return;
    }
    p->reply_to = mem_string(p->request->reply_to);
    if (choose_language(p, &f) < 0) {
        refuse(p, STATUS_REJECTED, f.text);
        return;
    }
    go(p, ADMIT);
}

static int64_t attempts_so_far(const struct pipeline *p)
{
    return p->history.attempts ? (int64_t)json_object_array_length(p->history.attempts) : 0;
}

/* Where the result is too large even without its output, what the request carries along is left out, and no success is
 * told: something is missing. */
static void encode_result(struct pipeline *p, struct buf *out)
{
    struct answer a = {
        .id = p->id,
        .request = p->request,
        .verdict = &p->verdict,
        .run = &p->run,
        .attempts = attempts_so_far(p) > 0 ? p->history.attempts : NULL,
        .worker = queue_worker(p->x->queue),
        .claimed_ms = p->claim->claimed_ms,
        .over_ms = p->over_ms,
        .published_ms = now_in_redis(p),
    };
    struct fault f = FAULT_INIT;

    if (answer_encode(&a, out, &f) == 0)
        return;
    log_error("encode", STR("req", p->id), STR("error", f.text));
    if (status_is_code(p->verdict.status))
        verdict_of_reason(REASON_INTERNAL, true, f.text, &p->verdict);
    a.bare = true;
    if (answer_encode(&a, out, &f) < 0)
        log_error("encode", STR("req", p->id), STR("error", f.text));
}

static void on_buried(void *arg, enum queue_answer answer, const struct fault *f)
{
    struct pipeline *p = arg;

    if (!answered(p, answer, f))
        return;
    log_info("refused", STR("req", p->id), STR("status", status_name(p->verdict.status)),
             STR("why", p->verdict.message), STR("answer", answer == QUEUE_DUPLICATE ? "id-taken" : "dead"));
    go(p, FINISHED);
}

static void bury(struct pipeline *p)
{
    _cleanup_(buf_release)
    struct buf result = BUF_INIT((size_t)p->x->config->result_max);

    if (p->id)
        encode_result(p, &result);
    p->asked = true;
    queue_bury(p->x->queue, p->claim->token, p->verdict.message, result.len ? p->id : NULL, buf_str(&result),
               result.len, p->x->config->result_ttl_ms / 1000, p->reply_to, on_buried, p);
}

/* --- set-aside: Redis takes no answer of ours (a key of the wrong type), and the claim would stay ours for ever ----
 */

static void on_set_aside(void *arg, enum queue_answer answer, const struct fault *f)
{
    struct pipeline *p = arg;

    if (answered(p, answer, f))
        go(p, TIDY);
}

static void set_aside(struct pipeline *p)
{
    p->asked = true;
    queue_bury(p->x->queue, p->claim->token, p->verdict.message, NULL, "", 0, 0, NULL, on_set_aside, p);
}

/* --- admit: from here on the id is ours ------------------------------------------------------------------------ */

/* A request that is not to be run after all, with a result of its own. */
static void decline(struct pipeline *p, enum status status, const char *why)
{
    struct verdict v = {.status = status, .hopeless = true, .exit_code = -1, .signal = -1};

    snprintf(v.message, sizeof(v.message), "%s", why);
    fail(p, &v);
}

static void on_put_off(void *arg, enum queue_answer answer, const struct fault *f)
{
    struct pipeline *p = arg;

    if (answered(p, answer, f))
        go(p, FINISHED);
}

static void on_admitted(void *arg, enum queue_answer answer, const struct queue_task *task, const struct fault *f)
{
    struct pipeline *p = arg;
    int64_t now = now_in_redis(p);
    bool first;

    if (!answered(p, answer, f))
        return;
    if (answer != QUEUE_DONE) {
        log_info("dropped", STR("req", p->id), STR("why", answer == QUEUE_DUPLICATE ? "id-taken" : "cancelled"));
        go(p, FINISHED);
        return;
    }
    p->task = *task;
    history_read(&p->history, task->history);
    p->task.history = NULL;
    first = task->attempt <= 1 && task->losses == 0 && attempts_so_far(p) == 0;
    if (p->leaving)
        go(p, HAND_BACK);
    else if (p->request->deadline_ms && now >= p->request->deadline_ms)
        decline(p, STATUS_EXPIRED, "the deadline passed before it could start");
    else if (p->claim->over_cap && first)
        decline(p, STATUS_REJECTED, "the queue is full (the worker's inbox-max or inbox-max-bytes)");
    else if (p->request->not_before_ms > now) {
        p->asked = true;
        queue_delay(p->x->queue, p->claim->token, p->id, p->request->not_before_ms, CHARGE_NOTHING, NULL, on_put_off,
                    p);
    } else
        go(p, RUN);
}

static void admit(struct pipeline *p)
{
    p->asked = true;
    queue_admit(p->x->queue, p->claim->token, p->id, p->request->digest, RECORD_TTL_S, on_admitted, p);
}

/* --- run: the attempt in the cluster ------------------------------------------------------------------------- */

static void on_run(void *arg, const struct verdict *v)
{
    struct pipeline *p = arg;

    p->over_ms = now_in_redis(p);
    fail(p, v);
}

static void run_attempt(struct pipeline *p)
{
    struct run_settings s = {
        .loop = p->x->loop,
        .kube = p->x->kube,
        .pods = p->x->pods,
        .early = p->x->early,
        .now_ms = now_in_redis(p),
        .attempt =
            {
                .config = p->x->config,
                .request = p->request,
                .language = p->language,
                .uid = queue_uid(p->x->queue),
                .worker = p->x->label,
                .token = p->claim->token,
                .runner_map = p->x->runner_map,
                .number = p->task.attempt,
            },
    };

    run_begin(&p->run, &s, on_run, p);
}

/* --- settle: another attempt, or the result --------------------------------------------------------------------- */

static void on_settled(void *arg, enum queue_answer answer, const struct fault *f)
{
    struct pipeline *p = arg;

    if (answered(p, answer, f))
        go(p, TIDY);
}

static void note_attempt(struct pipeline *p)
{
    const struct verdict *v = &p->verdict;

    if (p->run.place.name[0])
        history_add(&p->history, result_attempt(p->task.attempt, p->run.place.name, p->run.await.pod, p->run.await.node,
                                                status_name(v->status), v->reason ? reason_name(v->reason) : NULL,
                                                p->run.await.started_ms));
}

static struct retry_plan plan_of(struct pipeline *p)
{
    int64_t now = now_in_redis(p);
    struct retry_case c = {
        .status = p->verdict.status,
        .reason = p->verdict.reason,
        .hopeless = p->verdict.hopeless,
        .infra = p->request->retry_infra,
        .code = p->request->retry_code,
        .on = p->request->retry_on,
        .infra_used = p->task.infra,
        .code_used = p->task.code,
        .access = p->verdict.access,
        .left_ms = p->request->deadline_ms ? p->request->deadline_ms - now : INT64_MAX,
    };

    if (p->verdict.reason != REASON_QUOTA && !p->verdict.access)
        p->history.barred_since_ms = 0;
    else if (!p->history.barred_since_ms)
        p->history.barred_since_ms = now;
    else
        c.waited_ms = now - p->history.barred_since_ms;
    return retry_decide(&c, loop_random(p->x->loop));
}

static void try_again(struct pipeline *p, const struct retry_plan *plan)
{
    _cleanup_free_ char *history = NULL;

    if (plan->charge != CHARGE_NOTHING)
        note_attempt(p);
    history = history_text(&p->history);
    log_info("retrying", STR("req", p->id), NUM("attempt", p->task.attempt), STR("job", p->run.place.name),
             STR("status", status_name(p->verdict.status)), STR("reason", reason_name(p->verdict.reason)),
             STR("why", p->verdict.message), NUM("delay_ms", plan->delay_ms));
    p->same_name = plan->charge == CHARGE_NOTHING;
    p->asked = true;
    queue_delay(p->x->queue, p->claim->token, p->id, now_in_redis(p) + plan->delay_ms, plan->charge, history,
                on_settled, p);
}

static void publish(struct pipeline *p)
{
    _cleanup_(buf_release)
    struct buf result = BUF_INIT((size_t)p->x->config->result_max);

    note_attempt(p);
    encode_result(p, &result);
    log_info("finished", STR("req", p->id), STR("status", status_name(p->verdict.status)),
             STR("reason", reason_name(p->verdict.reason)), STR("why", p->verdict.message),
             NUM("attempt", p->task.attempt), STR("job", p->run.place.name), STR("node", p->run.await.node),
             NUM("ms", now_in_redis(p) - p->claim->claimed_ms));
    p->asked = true;
    queue_finish(p->x->queue, p->claim->token, p->id, buf_str(&result), result.len, p->request->result_ttl_s,
                 p->reply_to, on_settled, p);
}

/* What the run left has gone into what was sent: it may be megabytes, and Redis or the cluster may take their time. */
static void settle(struct pipeline *p)
{
    struct retry_plan plan = plan_of(p);

    if (plan.again)
        try_again(p, &plan);
    else
        publish(p);
    run_drop_report(&p->run);
}

/* --- tidy: best effort, the sweeper and the TTL stand behind it -------------------------------------------------- */

static void on_tidied(void *arg, const struct kube_reply *reply, const struct fault *f)
{
    struct pipeline *p = arg;

    (void)reply;
    p->call = NULL;
    if (f && f->kind != FAULT_GONE)
        log_warning("tidy", STR("req", p->id), STR("job", p->run.place.name), STR("error", f->text));
    go(p, FINISHED);
}

/* Without a uid the delete takes whatever has the name, and it may come late: not where the next attempt needs it. */
static void tidy(struct pipeline *p)
{
    if (p->run.place.job_uid || (p->run.place.name[0] && !p->same_name))
        p->call = kube_delete(p->x->kube, KUBE_JOB, p->run.place.name, p->run.place.job_uid, on_tidied, p);
    else
        go(p, FINISHED);
}

/* --- hand-back, finished ----------------------------------------------------------------------------------------- */

static void on_handed_back(void *arg, enum queue_answer answer, const struct fault *f)
{
    struct pipeline *p = arg;

    if (!answered(p, answer, f))
        return;
    log_info("handed-back", STR("req", p->id), STR("job", p->run.place.name));
    go(p, FINISHED);
}

static void hand_back(struct pipeline *p)
{
    p->asked = true;
    queue_release(p->x->queue, p->claim->token, p->id, on_handed_back, p);
}

static void tell_done(void *arg)
{
    struct pipeline *p = arg;

    p->on_done(p->arg, p);
}

static void finish(struct pipeline *p)
{
    loop_defer(p->x->loop, &p->done, tell_done, p);
}

/* --- from outside ------------------------------------------------------------------------------------------------ */

static void begin(void *arg)
{
    go(arg, READ_REQUEST);
}

struct pipeline *pipeline_start(const struct pipeline_context *x, struct queue_claim *claim, pipeline_done_fn *on_done,
                                void *arg)
{
    struct pipeline *p = mem_new(struct pipeline);

    p->x = x;
    p->claim = claim;
    p->on_done = on_done;
    p->arg = arg;
    p->began_ms = loop_now(x->loop);
    loop_defer(x->loop, &p->start, begin, p);
    return p;
}

void pipeline_hand_back(struct pipeline *p)
{
    p->leaving = true;
    if (step[p->at].can_hand_back && !p->asked && !p->forgotten)
        go(p, HAND_BACK);
}

void pipeline_forget(struct pipeline *p)
{
    if (p->forgotten || p->at == FINISHED)
        return;
    p->forgotten = true;
    drop_calls(p);
    if (!p->asked)
        go(p, FINISHED);
}

void pipeline_free(struct pipeline *p)
{
    if (!p)
        return;
    drop_calls(p);
    loop_cancel(&p->done);
    run_release(&p->run);
    queue_claim_free(p->claim);
    request_free(p->request);
    history_release(&p->history);
    free(p->id);
    free(p->reply_to);
    free(p);
}

const char *pipeline_token(const struct pipeline *p)
{
    return p->claim->token;
}

const char *pipeline_job(const struct pipeline *p)
{
    return p->run.place.name;
}

bool pipeline_is_alone(const struct pipeline *p)
{
    return p->claim->quarantined;
}
