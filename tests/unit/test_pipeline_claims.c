/* What becomes of a claim: requests that are not run, Jobs that are there already, claims that are lost, and pipelines
 * that are forgotten or hand their claim back at any moment. */
#include <json-c/json.h>
#include <stdlib.h>

#include "base/field.h"
#include "base/log.h"
#include "base/mem.h"
#include "unit/pipeline_world.h"

/* --- requests that are not run ---------------------------------------------------------------------------------- */

static const struct {
    const char *payload, *status;
    int buried;
} refused[] = {
    {"{\"id\":\"a1\",\"reply_to\":\"r\",\"code\":1}", "invalid", 1},
    {"{\"id\":\"a1\",\"reply_to\":\"r\",\"code\":\"x\",\"nonsense\":1}", "invalid", 1},
    {"{\"id\":\"a1\",\"reply_to\":\"r\",\"code\":\"x\",\"network\":true}", "rejected", 1},
    {"{\"id\":\"a1\",\"reply_to\":\"r\",\"code\":\"x\",\"language\":\"cobol\"}", "rejected", 1},
    {"{\"id\":\"a1\",\"reply_to\":\"r\",\"code\":\"x\",\"image\":\"evil:latest\"}", "rejected", 1},
    {"{\"id\":\"a1\",\"reply_to\":\"r\",\"code\":\"x\",\"deadline\":1000}", "expired", 0},
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        struct world w;

        world_begin(&w);
        world_run(&w, refused[i].payload);
        row_status(&w, refused[i].payload, refused[i].status, NULL);
        row_true(refused[i].payload, fake_queue_results(w.queue) == 1);
        row_true(refused[i].payload,
                 strcmp(fake_queue_reply_to(w.queue), "r") == 0); /* who waits there, waits for it */
        row_true(refused[i].payload, fake_queue_count(w.queue, FAKE_BURY) == refused[i].buried);
        row_true(refused[i].payload, fake_kube_calls(w.kube) == 0);
        world_end(&w, refused[i].payload, 0);
    }
}

static void test_garbage_goes_to_dead(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w);
    world_run(&w, "{\"id\":");
    assert_int_equal(fake_queue_results(w.queue), 0);
    assert_int_equal(fake_queue_count(w.queue, FAKE_BURY), 1);
    assert_non_null(strstr(fake_queue_dead(w.queue), "not JSON"));
    world_end(&w, "garbage", 0);
}

static void test_not_before(void **state)
{
    char payload[256];
    struct world w;

    (void)state;
    world_begin(&w);
    snprintf(payload, sizeof(payload), "{\"id\":\"a1\",\"code\":\"x\",\"not_before\":%lld}",
             (long long)loop_wall(w.loop) / 1000 + 60);
    world_run(&w, payload);
    row_status(&w, "not_before", "ok", NULL);
    assert_int_equal(fake_queue_count(w.queue, FAKE_DELAY), 1);
    assert_int_equal(fake_queue_charged(w.queue), 0);
    assert_true(loop_now(w.loop) >= 60000);
    world_end(&w, "not_before", 0);
}

/* --- adoption ------------------------------------------------------------------------------------------------------
 */

/* The Job that our worker would create, as JSON; the caller frees. */
static char *our_job(const char *payload)
{
    struct world w;
    char *json;

    world_begin(&w);
    world_run(&w, payload);
    json = mem_string(fake_kube_created(w.kube, KUBE_JOB));
    world_end(&w, "our job", 0);
    return json;
}

/* With one of its strings replaced; takes `json` over. */
static char *altered(char *json, const char *from, const char *to)
{
    char *at = strstr(json, from), *new;

    assert_non_null(at);
    new = mem_format("%.*s%s%s", (int)(at - json), json, to, at + strlen(from));
    free(json);
    return new;
}

static void test_adopts(void **state)
{
    char *job = altered(our_job(PAYLOAD), "\"execq.dev/worker\":\"" LABEL "\"", "\"execq.dev/worker\":\"another\"");
    struct world w;

    (void)state;
    world_begin(&w);
    fake_kube_plant_job(w.kube, job, false);
    world_run(&w, PAYLOAD);
    row_status(&w, "adopt", "ok", NULL);
    assert_int_equal(fake_kube_count(w.kube, FAKE_CREATE, KUBE_JOB), 1);
    assert_int_equal(fake_queue_charged(w.queue), 0);
    world_end(&w, "adopt", 0);
    free(job);
}

/* Its pod went with the node; nobody makes another one, and nobody has to wait for it. */
static void test_adopts_one_that_is_over(void **state)
{
    static const char payload[] = "{\"id\":\"a1\",\"code\":\"x\",\"retry\":{\"infra\":0}}";
    char *job = altered(our_job(payload), "\"kind\":\"Job\"",
                        "\"kind\":\"Job\",\"status\":{\"conditions\":[{\"type\":\"Failed\",\"status\":\"True\"}]}");
    struct world w;

    (void)state;
    world_begin(&w);
    fake_kube_run(w.kube, &(struct fake_run){.schedule_ms = -1});
    fake_kube_plant_job(w.kube, job, false);
    world_run(&w, payload);
    row_status(&w, "over", "infra_error", "disrupted");
    assert_int_equal(fake_kube_count(w.kube, FAKE_LIST, KUBE_EVENT), 0);
    world_end(&w, "over", 0);
    free(job);
}

/* The clock of a node that is behind makes no run older than its Job. */
static void test_adopts_on_a_node_whose_clock_is_behind(void **state)
{
    char created[96], text[32];
    struct world w;
    struct tm tm;
    time_t now;
    char *job;

    (void)state;
    world_begin(&w);
    now = (time_t)(loop_wall(w.loop) / 1000);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
    snprintf(created, sizeof(created), "\"metadata\":{\"creationTimestamp\":\"%s\",", text);
    job = altered(our_job(PAYLOAD), "\"metadata\":{", created);
    fake_kube_clock(w.kube, -100000);
    fake_kube_run(w.kube, &(struct fake_run){.run_ms = -1, .log = "x"});
    fake_kube_plant_job(w.kube, job, false);
    world_run(&w, PAYLOAD);
    row_status(&w, "behind", "timeout", NULL);
    assert_true(loop_now(w.loop) >= 79000);
    world_end(&w, "behind", 0);
    free(job);
}

/* Given back while its code runs, and taken up again by a worker of the same name: the code's time goes on. */
static void taken_up_again(int64_t ahead_ms)
{
    struct fake_run endless = {.run_ms = -1, .log = "x"};
    struct world w;

    world_begin(&w);
    fake_queue_clock(w.queue, ahead_ms);
    fake_kube_clock(w.kube, ahead_ms);
    fake_kube_run(w.kube, &endless);
    fake_queue_push(w.queue, PAYLOAD);
    fake_loop_advance(w.loop, 8000);
    pipeline_hand_back(w.current);
    fake_loop_advance(w.loop, 100);
    assert_int_equal(w.running, 0);
    world_run(&w, PAYLOAD);
    row_status(&w, "own", "timeout", NULL);
    /* 10 s, 10 for the runner to say so, and 60 for the kubelet to tell */
    assert_true(loop_now(w.loop) >= 79000 && loop_now(w.loop) < 82000);
    world_end(&w, "own", 0);
}

static void test_adopts_its_own(void **state)
{
    (void)state;
    taken_up_again(0);
    taken_up_again(3600 * 1000); /* the cluster and Redis agree on the time, and we do not */
    taken_up_again(-3600 * 1000);
}

static void test_clears_what_is_not_ours(void **state)
{
    static const struct {
        const char *name, *from, *to;
        bool deleting;
    } rows[] = {
        {"other request", "\"execq.dev/digest\":\"", "\"execq.dev/digest\":\"00", false},
        {"other installation", "\"execq.dev/installation\":\"", "\"execq.dev/installation\":\"x", false},
        {"being deleted", "\"execq.dev/token\":\"", "\"execq.dev/token\":\"9", true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char *job = altered(our_job(PAYLOAD), rows[i].from, rows[i].to);
        struct world w;

        world_begin(&w);
        fake_kube_plant_job(w.kube, job, rows[i].deleting);
        world_run(&w, PAYLOAD);
        row_status(&w, rows[i].name, "ok", NULL);
        row_true(rows[i].name, fake_queue_charged(w.queue) == 0);
        world_end(&w, rows[i].name, 0);
        free(job);
    }
}

static void test_clears_an_old_configmap(void **state)
{
    struct json_object *job = NULL;
    char *json = our_job(PAYLOAD);
    struct world w;

    (void)state;
    job = json_tokener_parse(json);
    world_begin(&w);
    fake_kube_plant_configmap(w.kube, field_peek_string(field_peek(job, "metadata"), "name"), "uid-of-an-old-job");
    world_run(&w, PAYLOAD);
    row_status(&w, "old ConfigMap", "ok", NULL);
    world_end(&w, "old ConfigMap", 0);
    json_object_put(job);
    free(json);
}

/* --- claims that are lost or given back, at every moment ------------------------------------------------------- */

static void test_queue_says_no(void **state)
{
    static const enum queue_answer answers[] = {QUEUE_LOST, QUEUE_FAILED};

    (void)state;
    for (int c = FAKE_ADMIT; c <= FAKE_FINISH; c++)
        for (size_t i = 0; i < COUNT_OF(answers); i++) {
            char row[64];
            struct world w;

            snprintf(row, sizeof(row), "call %d answer %d", c, (int)answers[i]);
            world_begin(&w);
            fake_queue_answer(w.queue, (enum fake_queue_call)c, answers[i], 1);
            world_run(&w, PAYLOAD);
            row_true(row, fake_queue_results(w.queue) == 0);
            if (answers[i] == QUEUE_LOST) { /* not ours any more: nothing in the cluster may be touched */
                row_true(row, fake_kube_count(w.kube, FAKE_DELETE, KUBE_JOB) == 0);
                world_end(&w, row, c == FAKE_FINISH ? 2 : 0);
            } else { /* ours still, and nobody else would ever settle it */
                row_true(row, strstr(fake_queue_dead(w.queue), "ordered by the test") != NULL);
                world_end(&w, row, 0);
            }
        }
}

/* At each millisecond of a run: forget, or hand back. */
static void test_interrupted_anywhere(void **state)
{
    const struct fake_attach script = {.bytes = EARLY(EXIT(0)), .bytes_ms = 100, .end_ms = 2000, .opened = true};
    const struct fake_run slow = {.schedule_ms = 20,
                                  .start_ms = 300,
                                  .assigned = true,
                                  .run_ms = 800,
                                  .end = {.exit_code = 0, .signal = -1},
                                  .word = EXIT(0)};

    (void)state;
    for (int64_t at = 0; at < 1240; at += 5)
        for (int forget = 0; forget < 2; forget++) {
            bool listens = at >= 620; /* a run of which the runner is heard at 930 ms */
            char row[64];
            struct world w;
            int deletes;

            snprintf(row, sizeof(row), "%s at %d ms", forget ? "forget" : "hand back", (int)at);
            world_begin(&w);
            early_allow(w.early, listens);
            fake_attach_is(w.loop, &script);
            if (listens)
                fake_kube_run(w.kube, &slow);
            fake_queue_push(w.queue, PAYLOAD);
            fake_loop_advance(w.loop, at);
            deletes = fake_kube_count(w.kube, FAKE_DELETE, KUBE_JOB);
            if (w.current && forget)
                pipeline_forget(w.current);
            else if (w.current)
                pipeline_hand_back(w.current);
            fake_loop_run_dry(w.loop, A_DAY);
            row_true(row, w.running == 0);
            row_true(row, fake_kube_live(w.kube) == 0);
            row_true(row, fake_queue_results(w.queue) + fake_queue_count(w.queue, FAKE_RELEASE) <= 1);
            if (forget) {
                row_true(row, fake_kube_count(w.kube, FAKE_DELETE, KUBE_JOB) == deletes);
                row_true(row, fake_queue_count(w.queue, FAKE_RELEASE) == 0);
            } else {
                row_true(row, fake_queue_results(w.queue) + fake_queue_count(w.queue, FAKE_RELEASE) == 1);
                row_true(row, fake_queue_open(w.queue) == 0);
            }
            if (fake_queue_results(w.queue) && !forget)
                row_true(row, fake_kube_objects(w.kube) == 0);
            row_true(row, fake_loop_pending(w.loop) == 0);
            row_true(row, fake_attach_live() == 0);
            world_free(&w);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_garbage_goes_to_dead),
        cmocka_unit_test(test_not_before),
        cmocka_unit_test(test_adopts),
        cmocka_unit_test(test_adopts_one_that_is_over),
        cmocka_unit_test(test_adopts_on_a_node_whose_clock_is_behind),
        cmocka_unit_test(test_adopts_its_own),
        cmocka_unit_test(test_clears_what_is_not_ours),
        cmocka_unit_test(test_clears_an_old_configmap),
        cmocka_unit_test(test_queue_says_no),
        cmocka_unit_test(test_interrupted_anywhere),
    };

    log_open(LEVEL_ERROR, false);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
