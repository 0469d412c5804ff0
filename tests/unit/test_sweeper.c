/* What the sweeper deletes, and above all what it leaves alone. */
#include "check.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"
#include "fake/fake_http.h"
#include "fake/fake_loop.h"
#include "k8s/kube.h"
#include "k8s/kubeconfig.h"
#include "queue/queue.h"
#include "worker/sweeper.h"

enum { PERIOD_MS = 60000 };

/* The one queue there is, in place of queue/: the state of each request by its id. */
static struct {
    struct loop *loop;
    bool may_write, away;
    char asked[256]; /* the ids, and the workers with a question mark, one after the other */
    queue_state_fn *fn;
    queue_alive_fn *alive_fn;
    void *arg;
    char id[64];
    struct loop_timer *timer;
} redis;

const char *queue_uid(const struct queue *q)
{
    (void)q;
    return "u1";
}

bool queue_may_write(const struct queue *q)
{
    (void)q;
    return redis.may_write;
}

static void tell_state(void *arg)
{
    struct fault away = {.kind = FAULT_TRANSIENT, .text = "no connection to Redis"};
    enum queue_task_state state = TASK_UNKNOWN;

    (void)arg;
    if (strcmp(redis.id, "finished") == 0)
        state = TASK_FINISHED;
    else if (strcmp(redis.id, "running") == 0)
        state = TASK_RUNNING;
    else if (strcmp(redis.id, "waiting") == 0)
        state = TASK_WAITING;
    redis.fn(redis.arg, state, redis.away ? &away : NULL);
}

void queue_task_state(struct queue *q, const char *id, queue_state_fn *fn, void *arg)
{
    size_t used = strlen(redis.asked);

    (void)q;
    snprintf(redis.asked + used, sizeof(redis.asked) - used, "%s ", id);
    snprintf(redis.id, sizeof(redis.id), "%s", id);
    redis.fn = fn;
    redis.arg = arg;
    loop_after(redis.loop, &redis.timer, 1, tell_state, NULL);
}

static void tell_alive(void *arg)
{
    struct fault away = {.kind = FAULT_TRANSIENT, .text = "no connection to Redis"};

    (void)arg;
    redis.alive_fn(redis.arg, strcmp(redis.id, "living") == 0, redis.away ? &away : NULL);
}

void queue_worker_alive(struct queue *q, const char *worker, queue_alive_fn *fn, void *arg)
{
    size_t used = strlen(redis.asked);

    (void)q;
    snprintf(redis.asked + used, sizeof(redis.asked) - used, "%s? ", worker);
    snprintf(redis.id, sizeof(redis.id), "%s", worker);
    redis.alive_fn = fn;
    redis.arg = arg;
    loop_after(redis.loop, &redis.timer, 1, tell_alive, NULL);
}

struct world {
    struct loop *loop;
    struct kubeconfig config;
    struct kube *kube;
    struct sweeper *sweeper;
    const char *held;
};

static bool is_held(void *arg, const char *job)
{
    const struct world *w = arg;

    return w->held && strcmp(job, w->held) == 0;
}

static int set_up(void **state)
{
    static struct world w;
    struct fault f = FAULT_INIT;
    struct kube_settings s = {.config = &w.config, .budget_ms = 5000};

    fake_http_reset();
    w = (struct world){.config = {.server = (char *)(uintptr_t) "https://h", .namespace_ = (char *)(uintptr_t) "n"}};
    loop_new(&w.loop, &f);
    memset(&redis, 0, sizeof(redis));
    redis.loop = w.loop;
    redis.may_write = true;
    assert_int_equal(kube_new(w.loop, &s, &w.kube, &f), 0);
    w.sweeper = sweeper_new(
        w.loop,
        &(struct sweeper_settings){
            .kube = w.kube, .queue_name = "q", .label = "own", .period_ms = PERIOD_MS, .is_held = is_held, .arg = &w});
    *state = &w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    loop_cancel(&redis.timer);
    sweeper_free(w->sweeper);
    kube_free(w->kube);
    assert_int_equal(fake_loop_pending(w->loop), 0);
    loop_free(w->loop);
    fake_http_reset();
    return 0;
}

#define OLD "\"2025-12-31T00:00:00Z\""
#define JOB(name, id, queue, created, more)                                                        \
    "{\"metadata\":{\"name\":\"" name "\",\"uid\":\"uid-" name "\",\"creationTimestamp\":" created \
    ",\"annotations\":{\"execq.dev/id\":\"" id "\",\"execq.dev/queue\":\"" queue "\"}" more "}}"

#define BY(worker) ",\"labels\":{\"execq.dev/worker\":\"" worker "\"}"

/* Waits for the next round; returns the number of its request for the list. */
static int round_begins(struct world *w)
{
    int i = fake_http_count();

    redis.asked[0] = '\0';
    for (int s = 0; s < PERIOD_MS / 1000 && fake_http_count() == i; s++)
        fake_loop_advance(w->loop, 1000);
    assert_int_equal(fake_http_count(), i + 1);
    assert_string_equal(fake_http_at(i)->method, "GET");
    assert_non_null(strstr(fake_http_at(i)->url, "/jobs?labelSelector=app.kubernetes.io%2Fmanaged-by%3Dexecq%2C"
                                                 "execq.dev%2Finstallation%3Du1"));
    return i;
}

static void list_is(int i, const char *jobs)
{
    _cleanup_free_ char *list = mem_format("{\"metadata\":{},\"items\":[%s]}", jobs);

    fake_http_answer(i, 200, list);
}

/* Returns the number of the request that follows, if one does. */
static int round_finds(struct world *w, const char *jobs)
{
    int i = round_begins(w);

    list_is(i, jobs);
    fake_loop_advance(w->loop, 10);
    return i + 1;
}

static void expect_delete(int i, const char *name)
{
    char url[128], uid[128];

    snprintf(url, sizeof(url), "/jobs/%s", name);
    snprintf(uid, sizeof(uid), "\"preconditions\":{\"uid\":\"uid-%s\"}", name);
    assert_int_equal(fake_http_count(), i + 1);
    assert_string_equal(fake_http_at(i)->method, "DELETE");
    assert_non_null(strstr(fake_http_at(i)->url, url));
    assert_non_null(strstr(fake_http_at(i)->body, uid));
}

static void test_what_is_over_goes(void **state)
{
    struct world *w = *state;
    int i = round_finds(w, JOB("a", "finished", "q", OLD, "") "," JOB("b", "running", "q", OLD, "") "," JOB(
                               "c", "waiting", "q", OLD, "") "," JOB("d", "unheard-of", "q", OLD, ""));

    expect_delete(i, "a");
    assert_string_equal(redis.asked, "finished ");
    fake_http_answer(i, 200, "{}");
    fake_loop_advance(w->loop, 10);
    expect_delete(i + 1, "d");
    assert_string_equal(redis.asked, "finished running waiting unheard-of ");
    fake_http_answer(i + 1, 404, "{}"); /* somebody else was quicker */
    fake_loop_advance(w->loop, 10);
    assert_int_equal(round_finds(w, ""), i + 3);
}

static void test_what_is_not_its_own_stays(void **state)
{
    static const char *const rows[] = {
        JOB("j", "finished", "another", OLD, ""),
        JOB("j", "finished", "q", OLD, ",\"deletionTimestamp\":" OLD),
        JOB("j", "finished", "q", "\"2099-01-01T00:00:00Z\"", ""),
        JOB("held", "finished", "q", OLD, ""),
        "{\"metadata\":{\"name\":\"j\",\"uid\":\"u\",\"creationTimestamp\":" OLD "}}",
        "{\"metadata\":{\"name\":\"j\",\"creationTimestamp\":" OLD
        ",\"annotations\":{\"execq.dev/id\":\"finished\",\"execq.dev/queue\":\"q\"}}}",
        "null",
    };
    struct world *w = *state;

    w->held = "held";
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int next = round_finds(w, rows[i]);

        row_true(rows[i], fake_http_count() == next);
        row_true(rows[i], redis.asked[0] == '\0');
    }
}

/* What no queue has heard of: a canary's. */
static void test_another_workers_own(void **state)
{
    static const struct {
        const char *name, *job, *asked;
        bool goes;
    } rows[] = {
        {"of one that lives", JOB("j", "canary", "q", OLD, BY("living")), "canary living? ", false},
        {"of one that died", JOB("j", "canary", "q", OLD, BY("dead")), "canary dead? ", true},
        {"of our own", JOB("j", "canary", "q", OLD, BY("own")), "canary ", true},
        {"of nobody", JOB("j", "canary", "q", OLD, ""), "canary ", true},
        {"a request's, of one that lives", JOB("j", "finished", "q", OLD, BY("living")), "finished ", true},
        {"taken up meanwhile", JOB("held", "canary", "q", OLD, BY("dead")), "canary dead? ", false},
    };
    struct world *w = *state;

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int next = round_begins(w);

        list_is(next++, rows[i].job);
        fake_loop_settle(w->loop);
        w->held = "held";
        fake_loop_advance(w->loop, 10);
        row_true(rows[i].name, strcmp(redis.asked, rows[i].asked) == 0);
        row_true(rows[i].name, (fake_http_count() > next) == rows[i].goes);
        if (rows[i].goes) {
            expect_delete(next, "j");
            fake_http_answer(next, 200, "{}");
            fake_loop_advance(w->loop, 10);
        }
        w->held = NULL;
    }
}

/* Taken up by ourselves between the question and its answer. */
static void test_taken_up_meanwhile(void **state)
{
    struct world *w = *state;
    int i = round_begins(w);

    list_is(i, JOB("a", "finished", "q", OLD, ""));
    fake_loop_settle(w->loop);
    assert_string_equal(redis.asked, "finished ");
    w->held = "a";
    fake_loop_advance(w->loop, 10);
    assert_int_equal(fake_http_count(), i + 1);
}

static void test_no_round_without_a_lease(void **state)
{
    struct world *w = *state;

    redis.may_write = false;
    fake_loop_advance(w->loop, 10 * PERIOD_MS);
    assert_int_equal(fake_http_count(), 0);
    redis.may_write = true;
    round_finds(w, "");
}

/* Not each of thousands is asked about in vain; the next round begins with a new list. */
static void test_ends_the_round_when_nobody_answers(void **state)
{
    static const char two[] = JOB("a", "finished", "q", OLD, "") "," JOB("b", "finished", "q", OLD, "");
    struct world *w = *state;
    int i;

    redis.away = true;
    i = round_finds(w, two);
    assert_int_equal(fake_http_count(), i);
    assert_string_equal(redis.asked, "finished ");
    redis.away = false;
    i = round_finds(w, two);
    expect_delete(i, "a");
    fake_http_fail(i, FAULT_TIMEOUT, 0, "no answer");
    fake_loop_advance(w->loop, 6000);
    assert_string_equal(redis.asked, "finished ");
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(test_what_is_over_goes),        WITH_WORLD(test_what_is_not_its_own_stays),
        WITH_WORLD(test_another_workers_own),      WITH_WORLD(test_taken_up_meanwhile),
        WITH_WORLD(test_no_round_without_a_lease), WITH_WORLD(test_ends_the_round_when_nobody_answers),
    };

    log_open(LEVEL_ERROR, false);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
