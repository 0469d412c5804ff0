#include <hiredis/hiredis.h>
#include <json-c/json.h>
#include <stdlib.h>

#include "base/field.h"
#include "base/mem.h"
#include "cli/progress.h"
#include "cli/session.h"
#include "cli/terminal.h"
#include "queue/keys.h"

/* execq status: what waits, what runs, who works. Builds one JSON object, then shows it one way or the other. */

static const struct option rows[] = {{0}};

/* What is counted: a key, the command that counts it, and where the number stands in the answer. */
/* clang-format off */
static const struct {
    const char *name, *suffix, *command, *shown;
} counts[] = {
    {"high",       "requests:high", "LLEN",  "waiting, high"},
    {"normal",     "requests",      "LLEN",  "waiting"},
    {"low",        "requests:low",  "LLEN",  "waiting, low"},
    {"in_flight",  "in_flight",     "ZCARD", "in flight"},
    {"delayed",    "delayed",       "ZCARD", "delayed"},
    {"quarantine", "quarantine",    "LLEN",  "quarantine"},
    {"dead",       "dead",          "LLEN",  "dead"},
};
/* clang-format on */

static struct json_object *value_of(const struct redisReply *r)
{
    struct json_object *parsed = NULL;
    struct fault f;

    if (r->type == REDIS_REPLY_INTEGER)
        return json_object_new_int64(r->integer);
    if (r->type != REDIS_REPLY_STRING)
        return NULL;
    if (field_parse(r->str, r->len, 8, &parsed, &f) == 0) /* numbers and the details, which are JSON */
        return parsed;
    return json_object_new_string_len(r->str, (int)r->len);
}

/* HGETALL into an object. */
static int read_hash(void *arg, const struct redisReply *reply, struct fault *f)
{
    struct json_object *into = arg;

    if (reply->type != REDIS_REPLY_ARRAY)
        return fault_set(f, FAULT_REFUSED, "Redis answered with something that is no hash");
    for (size_t i = 0; i + 1 < reply->elements; i += 2)
        if (reply->element[i]->type == REDIS_REPLY_STRING)
            json_object_object_add(into, reply->element[i]->str, value_of(reply->element[i + 1]));
    return 0;
}

static int add_counts(struct session *s, struct json_object *to, struct fault *f)
{
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        char key[KEY_MAX];
        const char *words[] = {counts[i].command, key_of(key, s->queue, counts[i].suffix), NULL};
        int64_t n;

        if (session_ask(s, words, 0, session_read_integer, &n, f) < 0)
            return -1;
        json_object_object_add(to, counts[i].name, json_object_new_int64(n));
    }
    return 0;
}

static int add_hash(struct session *s, struct json_object *to, const char *name, const char *key, struct fault *f)
{
    const char *words[] = {"HGETALL", key, NULL};
    struct json_object *hash = json_object_new_object();

    json_object_object_add(to, name, hash);
    return session_ask(s, words, 0, read_hash, hash, f);
}

/* claims:W holds a field a claim, and one more, "id TOKEN", for each that was admitted. */
static int read_claims(void *ret_int64, const struct redisReply *reply, struct fault *f)
{
    int64_t n = 0;

    if (reply->type != REDIS_REPLY_ARRAY)
        return fault_set(f, FAULT_REFUSED, "Redis answered with something that is no list");
    for (size_t i = 0; i < reply->elements; i++)
        if (reply->element[i]->type == REDIS_REPLY_STRING && strncmp(reply->element[i]->str, "id ", 3) != 0)
            n++;
    *(int64_t *)ret_int64 = n;
    return 0;
}

static int add_worker(struct session *s, struct json_object *to, const char *name, struct json_object *beat,
                      struct fault *f)
{
    char key[KEY_MAX];
    const char *words[] = {"HKEYS", key_for(key, s->queue, "claims", name), NULL}, *hgetall[] = {"HGETALL", key, NULL};
    struct json_object *worker = json_object_new_object();
    int64_t claims;

    json_object_array_add(to, worker);
    json_object_object_add(worker, "name", json_object_new_string(name));
    json_object_object_add(worker, "alive", json_object_new_boolean(json_object_is_type(beat, json_type_int)));
    json_object_object_add(worker, "beat", json_object_get(beat)); /* "dead", and since when, if it is not alive */
    if (session_ask(s, words, 0, read_claims, &claims, f) < 0)
        return -1;
    json_object_object_add(worker, "claims", json_object_new_int64(claims));
    key_for(key, s->queue, "worker", name);
    return session_ask(s, hgetall, 0, read_hash, worker, f); /* session, since, details */
}

static int add_workers(struct session *s, struct json_object *to, struct fault *f)
{
    _cleanup_(field_putp)
    struct json_object *beats = json_object_new_object();
    struct json_object *workers = json_object_new_array();
    char key[KEY_MAX];
    const char *words[] = {"HGETALL", key_of(key, s->queue, "workers"), NULL};

    json_object_object_add(to, "workers", workers);
    if (session_ask(s, words, 0, read_hash, beats, f) < 0)
        return -1;
    json_object_object_foreach(beats, name, beat)
    {
        if (key_is_name(name) && add_worker(s, workers, name, beat, f) < 0)
            return -1;
    }
    return 0;
}

static int collect(struct session *s, struct json_object *to, struct fault *f)
{
    char key[KEY_MAX];

    json_object_object_add(to, "queue", json_object_new_string(s->queue));
    json_object_object_add(to, "redis", json_object_new_string(s->shown));
    if (add_counts(s, to, f) < 0 || add_workers(s, to, f) < 0)
        return -1;
    return add_hash(s, to, "stats", key_of(key, s->queue, "stats"), f);
}

/* ---- for people ---- */

static void show_text(struct json_object *details, const char *name)
{
    const char *text = field_peek_string(details, name);

    if (text)
        printf("  %s %s", name, text);
}

static void show_worker(struct json_object *w, int64_t now_ms)
{
    struct json_object *details = field_peek(w, "details");
    int64_t slots = field_peek_int(details, "slots", -1), since_ms = field_peek_int(w, "since", now_ms);
    char up[40];

    printf("  %s%s%s  holds %lld", terminal_color(stdout, COLOR_BOLD), field_peek_string(w, "name"),
           terminal_color(stdout, COLOR_NONE), (long long)field_peek_int(w, "claims", 0));
    if (slots >= 0)
        printf(" of %lld", (long long)slots);
    if (!field_peek_bool(w, "alive")) {
        puts("  dead: others take over what it holds");
        return;
    }
    progress_time(now_ms - since_ms, up, sizeof(up));
    printf("  up %s  beat %lld", up, (long long)field_peek_int(w, "beat", 0));
    show_text(details, "host");
    show_text(details, "version");
    putchar('\n');
}

static void show_workers(struct json_object *workers, int64_t now_ms)
{
    size_t n = json_object_array_length(workers), alive = 0;

    for (size_t i = 0; i < n; i++)
        alive += field_peek_bool(json_object_array_get_idx(workers, i), "alive");
    if (alive == 0)
        printf("%sno worker is running%s\n", terminal_color(stdout, COLOR_YELLOW), terminal_color(stdout, COLOR_NONE));
    else
        printf("%zu worker%s\n", alive, alive == 1 ? "" : "s");
    for (size_t i = 0; i < n; i++)
        show_worker(json_object_array_get_idx(workers, i), now_ms);
}

static void show_stats(struct json_object *stats)
{
    if (json_object_object_length(stats) == 0)
        return;
    puts("since the queue was made");
    json_object_object_foreach(stats, name, value)
    {
        printf("  %-16s %s\n", name, json_object_to_json_string(value));
    }
}

static void show(struct json_object *status, int64_t now_ms)
{
    printf("queue %s at %s\n", field_peek_string(status, "queue"), field_peek_string(status, "redis"));
    for (size_t i = 0; i < COUNT_OF(counts); i++)
        printf("  %-16s %lld\n", counts[i].shown, (long long)field_peek_int(status, counts[i].name, 0));
    show_workers(field_peek(status, "workers"), now_ms);
    show_stats(field_peek(status, "stats"));
}

static int status(struct session *s, const void *options, const struct arguments *a, struct fault *f)
{
    const struct common *o = options;
    _cleanup_(field_putp)
    struct json_object *all = json_object_new_object();

    (void)a;
    if (session_open(s, o, f) < 0 || session_connect(s, f) < 0 || collect(s, all, f) < 0)
        return -1;
    if (o->json)
        puts(json_object_to_json_string_ext(all, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    else
        show(all, loop_wall(s->loop));
    return EXIT_OK;
}

static const struct common presets = COMMON_INIT;

const struct command cmd_status = {
    .name = "status",
    .synopsis = "",
    .summary = "what is waiting, what is running, who works",
    .text = "Shows the lengths of the queue, the workers with what each of them holds, and the counters.\n"
            "`beat` is raised by a live worker every few seconds. Works without any worker, and says so.\n"
            "\n"
            "  execq status\n"
            "  execq status --json | jq .in_flight\n"
            "\n"
            "exit codes: 0; 2 wrong usage; 3 Redis out of reach.",
    .arguments_min = 0,
    .arguments_max = 0,
    .options = rows,
    .presets = &presets,
    .presets_size = sizeof(presets),
    .act = status,
};
