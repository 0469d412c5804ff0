/* What the queue itself costs: claim, admit, finish with a result, by the real seat, with nothing executed in between.
 * One process, one worker. Prints one line of JSON; see bench/queue.py.
 *
 *     queue_bench URL load [jobs [payload-bytes [result-bytes [at-once]]]]    as many a second as there can be
 *     queue_bench URL wake [jobs]    one by one: from before its push until the claim has come */
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/text.h"
#include "queue/queue.h"
#include "queue/redis_url.h"
#include "queue/request.h"

#define K(name) "execq:{bench}:" name

static struct {
    struct loop *loop;
    struct queue *queue;
    int64_t jobs, payload_len, result_len, room;
    int64_t claimed, finished, failed, running;
    int64_t begin, end;
    char *result;
    redisContext *side; /* who pushes */
    struct loop_timer *pause;
    int64_t pushed_us, *took_us; /* of a wake; NULL: all were pushed before */
} bench;

enum { PAUSE_MS = 5, PAUSE_MORE_MS = 20 /* from one wake to the next: the seat is asleep by then */ };

struct job {
    struct queue_claim *claim;
    struct request *request;
};

static void die(const char *what, const char *why)
{
    fprintf(stderr, "queue_bench: %s: %s\n", what, why);
    exit(1);
}

/* ---- Redis, from the side ---- */

static redisContext *link_to(const char *url)
{
    struct redis_url u;
    struct fault f = FAULT_INIT;
    redisContext *c;

    if (redis_url_parse(url, &u, &f) < 0)
        die("url", f.text);
    c = u.path ? redisConnectUnix(u.path) : redisConnect(u.host, u.port);
    if (!c || c->err)
        die("connect", c ? c->errstr : "no memory");
    redis_url_release(&u);
    return c;
}

static long long ask(redisContext *c, const char *command)
{
    redisReply *r = redisCommand(c, command);
    long long n;

    if (!r || r->type == REDIS_REPLY_ERROR)
        die(command, r ? r->str : c->errstr);
    n = r->type == REDIS_REPLY_INTEGER ? r->integer : 0;
    freeReplyObject(r);
    return n;
}

static void push_all(redisContext *c)
{
    char *filler = mem_zero((size_t)bench.payload_len + 1, 1);

    memset(filler, 'x', (size_t)bench.payload_len);
    for (int64_t i = 0; i < bench.jobs; i++) {
        char *payload = mem_format("{\"id\":\"job-%lld\",\"code\":\"%s\"}", (long long)i, filler);

        redisAppendCommand(c, "RPUSH " K("requests") " %s", payload);
        free(payload);
        if (i % 1000 != 999 && i + 1 < bench.jobs)
            continue;
        for (int64_t n = i % 1000 + 1; n > 0; n--) {
            redisReply *r = NULL;

            if (redisGetReply(c, (void **)&r) != REDIS_OK || r->type != REDIS_REPLY_INTEGER)
                die("push", "refused");
            freeReplyObject(r);
        }
    }
    free(filler);
}

/* The number that stands behind `name` in one section of INFO. */
static double info(redisContext *c, const char *section, const char *name)
{
    redisReply *r = redisCommand(c, "INFO %s", section);
    const char *at;
    double n;

    if (!r || r->type != REDIS_REPLY_STRING)
        die("INFO", "no answer");
    at = strstr(r->str, name);
    n = at ? strtod(at + strlen(name), NULL) : 0;
    freeReplyObject(r);
    return n;
}

static double redis_cpu_us(redisContext *c)
{
    return 1e6 * (info(c, "cpu", "used_cpu_sys:") + info(c, "cpu", "used_cpu_user:"));
}

static double own_cpu_us(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return 1e6 * (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static int64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* ---- the worker ---- */

static void push_one(void *arg)
{
    redisReply *r;

    (void)arg;
    bench.pushed_us = now_us();
    r = redisCommand(bench.side, "RPUSH " K("requests") " {\"id\":\"wake-%lld\",\"code\":\"x\"}",
                     (long long)bench.claimed);
    if (!r || r->type != REDIS_REPLY_INTEGER)
        die("push", "refused");
    freeReplyObject(r);
}

static void push_soon(void)
{
    loop_after(bench.loop, &bench.pause, PAUSE_MS + loop_jitter(bench.loop, PAUSE_MORE_MS), push_one, NULL);
}

static void end_job(struct job *j)
{
    bench.running--;
    request_free(j->request);
    queue_claim_free(j->claim);
    free(j);
    if (bench.finished + bench.failed == bench.jobs) {
        bench.end = loop_now(bench.loop);
        loop_stop(bench.loop);
    }
    queue_want(bench.queue, (unsigned)(bench.room - bench.running), false);
    if (bench.took_us && bench.claimed < bench.jobs)
        push_soon();
}

static void on_finished(void *arg, enum queue_answer answer, const struct fault *f)
{
    (void)f;
    if (answer == QUEUE_DONE)
        bench.finished++;
    else
        bench.failed++;
    end_job(arg);
}

static void on_admitted(void *arg, enum queue_answer answer, const struct queue_task *task, const struct fault *f)
{
    struct job *j = arg;

    (void)task;
    if (answer != QUEUE_DONE)
        die("admit", f ? f->text : "refused");
    queue_finish(bench.queue, j->claim->token, j->request->id, bench.result, (size_t)bench.result_len, 600, NULL,
                 on_finished, j);
}

static void on_claim(void *arg, struct queue_claim *c)
{
    static const struct request_limits limits = {.payload_max = 1 << 20};
    struct job *j = mem_new(struct job);
    struct fault f = FAULT_INIT;
    _cleanup_free_ char *id = NULL;

    (void)arg;
    if (bench.took_us)
        bench.took_us[bench.claimed] = now_us() - bench.pushed_us;
    if (bench.claimed++ == 0)
        bench.begin = loop_now(bench.loop);
    bench.running++;
    j->claim = c;
    if (request_parse(c->payload, c->len, &limits, &j->request, &id, &f) < 0)
        die("request", f.text);
    queue_admit(bench.queue, c->token, j->request->id, j->request->digest, 600, on_admitted, j);
}

static void on_state(void *arg, bool connected, bool leased, const struct fault *f)
{
    (void)arg;
    if (connected && leased) {
        queue_want(bench.queue, (unsigned)bench.room, false);
        if (bench.took_us && bench.claimed == 0)
            push_soon();
    } else if (f)
        fprintf(stderr, "queue_bench: %s\n", f->text);
}

static void run(const char *url)
{
    struct queue_settings set = {.url = url,
                                 .name = "bench",
                                 .worker = "bench",
                                 .lease_ms = 30000,
                                 .beat_ms = 5000,
                                 .reap_ms = 10000,
                                 .payload_max = 1 << 20,
                                 .dead_max_count = 1,
                                 .dead_max_bytes = 1,
                                 .inbox_max_count = SIZE_MAX / 2,
                                 .inbox_max_bytes = SIZE_MAX / 2};
    struct queue_events on = {.on_claim = on_claim, .on_state = on_state};
    struct fault f = FAULT_INIT;

    if (loop_new(&bench.loop, &f) < 0 || queue_new(bench.loop, &set, &on, &bench.queue, &f) < 0)
        die("start", f.text);
    loop_run(bench.loop);
}

static void report_load(redisContext *c, double own_us, double redis_us)
{
    double s = (double)(bench.end - bench.begin) / 1000.0, jobs = (double)bench.jobs;
    double scripts = info(c, "commandstats", "cmdstat_evalsha:calls=");

    if (ask(c, "EXISTS " K("result:job-0")) != 1)
        die("result", "there is none");
    printf("{\"jobs_s\":%.0f,\"steps\":%.1f,\"worker_us\":%.1f,\"redis_us\":%.1f}\n", jobs / s, 3.0 * jobs / scripts,
           own_us / jobs, redis_us / jobs);
}

static int ascending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static void report_wake(void)
{
    size_t n = (size_t)bench.jobs;

    qsort(bench.took_us, n, sizeof(*bench.took_us), ascending);
    printf("{\"p50_us\":%lld,\"p99_us\":%lld,\"most_us\":%lld}\n", (long long)bench.took_us[n / 2],
           (long long)bench.took_us[n * 99 / 100], (long long)bench.took_us[n - 1]);
}

static void load(const char *url)
{
    double own_us, redis_us;

    push_all(bench.side);
    ask(bench.side, "CONFIG RESETSTAT");
    own_us = own_cpu_us();
    redis_us = redis_cpu_us(bench.side);
    run(url);
    report_load(bench.side, own_cpu_us() - own_us, redis_cpu_us(bench.side) - redis_us);
}

static void wake(const char *url)
{
    bench.room = 1;
    bench.took_us = mem_zero((size_t)bench.jobs, sizeof(*bench.took_us));
    run(url);
    report_wake();
}

int main(int argc, char **argv)
{
    int64_t *const number[] = {&bench.jobs, &bench.payload_len, &bench.result_len, &bench.room};
    bool wakes = argc > 2 && strcmp(argv[2], "wake") == 0;
    struct fault f = FAULT_INIT;

    bench.jobs = wakes ? 1000 : 200000;
    bench.payload_len = 100;
    bench.result_len = 200;
    bench.room = 256;
    if (argc < 3 || (!wakes && strcmp(argv[2], "load") != 0))
        die("usage",
            "queue_bench URL load [jobs [payload-bytes [result-bytes [at-once]]]] | queue_bench URL wake [jobs]");
    for (int i = 3; i < argc && i < (wakes ? 4 : 7); i++)
        if (text_to_int(argv[i], 1, 100000000, number[i - 3], &f) < 0)
            die(argv[i], f.text);
    bench.result = mem_zero((size_t)bench.result_len + 1, 1);
    memset(bench.result, 'r', (size_t)bench.result_len);
    bench.side = link_to(argv[1]);
    ask(bench.side, "FLUSHDB");
    if (wakes)
        wake(argv[1]);
    else
        load(argv[1]);
    queue_free(bench.queue);
    loop_free(bench.loop);
    free(bench.result);
    free(bench.took_us);
    redisFree(bench.side);
    return bench.failed ? 1 : 0;
}
