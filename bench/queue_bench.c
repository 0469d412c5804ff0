/* How many requests a second the queue itself carries: push, claim, admit, finish with a result, by the real seat,
 * with nothing executed in between. One process, one connection. See bench/queue_bench.sh.
 *
 *     queue_bench URL [jobs [payload-bytes [result-bytes [at-once]]]] */
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

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
} bench;

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

/* ---- the worker ---- */

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
    if (connected && leased)
        queue_want(bench.queue, (unsigned)bench.room, false);
    else if (f)
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

static void report(redisContext *c, double own_us, double redis_us)
{
    double s = (double)(bench.end - bench.begin) / 1000.0, jobs = (double)bench.jobs;
    double scripts = info(c, "commandstats", "cmdstat_evalsha:calls=");

    printf("%7.0f jobs/s  %lld jobs, payload %lld B, result %lld B, %lld at once\n", jobs / s, (long long)bench.jobs,
           (long long)bench.payload_len, (long long)bench.result_len, (long long)bench.room);
    printf("         %.0f script calls, %.1f steps each; CPU a job: worker %.1f us, Redis %.1f us; failed %lld%s\n",
           scripts, 3.0 * jobs / scripts, own_us / jobs, redis_us / jobs, (long long)bench.failed,
           ask(c, "EXISTS " K("result:job-0")) == 1 ? "" : ", NO RESULT");
}

int main(int argc, char **argv)
{
    int64_t *const number[] = {&bench.jobs, &bench.payload_len, &bench.result_len, &bench.room};
    struct fault f = FAULT_INIT;
    double own_us, redis_us;
    redisContext *c;

    bench.jobs = 200000;
    bench.payload_len = 100;
    bench.result_len = 200;
    bench.room = 256;
    if (argc < 2)
        die("usage", "queue_bench URL [jobs [payload-bytes [result-bytes [at-once]]]]");
    for (int i = 2; i < argc && i < 6; i++)
        if (text_to_int(argv[i], 1, 100000000, number[i - 2], &f) < 0)
            die(argv[i], f.text);
    bench.result = mem_zero((size_t)bench.result_len + 1, 1);
    memset(bench.result, 'r', (size_t)bench.result_len);
    c = link_to(argv[1]);
    ask(c, "FLUSHDB");
    push_all(c);
    ask(c, "CONFIG RESETSTAT");
    own_us = own_cpu_us();
    redis_us = redis_cpu_us(c);
    run(argv[1]);
    report(c, own_cpu_us() - own_us, redis_cpu_us(c) - redis_us);
    queue_free(bench.queue);
    loop_free(bench.loop);
    free(bench.result);
    redisFree(c);
    return bench.failed ? 1 : 0;
}
