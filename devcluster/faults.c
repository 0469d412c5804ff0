#include "devcluster/faults.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/field.h"
#include "base/mem.h"
#include "base/text.h"

enum { WORD_MAX = 253, RULES_MAX = 1000, SLOW_MAX_MS = 600000 };

/* Where an action takes hold. */
enum place { PLACE_REQUEST, PLACE_EVENT, PLACE_POD, PLACE_JOB };

/* clang-format off */
static const struct { const char *name; enum place place; } actions[] = {
    [ACTION_NONE]           = {"",               PLACE_REQUEST},
    [ACTION_403]            = {"403",            PLACE_REQUEST},
    [ACTION_409]            = {"409",            PLACE_REQUEST},
    [ACTION_410]            = {"410",            PLACE_REQUEST},
    [ACTION_429]            = {"429",            PLACE_REQUEST},
    [ACTION_500]            = {"500",            PLACE_REQUEST},
    [ACTION_503]            = {"503",            PLACE_REQUEST},
    [ACTION_504]            = {"504",            PLACE_REQUEST},
    [ACTION_RESET]          = {"reset",          PLACE_REQUEST},
    [ACTION_LOSE_REPLY]     = {"lose_reply",     PLACE_REQUEST},
    [ACTION_HALF_BODY]      = {"half_body",      PLACE_REQUEST},
    [ACTION_STALL]          = {"stall",          PLACE_REQUEST},
    [ACTION_410_EVENT]      = {"410_event",      PLACE_EVENT},
    [ACTION_HALF_LINE]      = {"half_line",      PLACE_EVENT},
    [ACTION_CUT_WATCH]      = {"cut_watch",      PLACE_EVENT},
    [ACTION_EVICT]          = {"evict",          PLACE_POD},
    [ACTION_OOM]            = {"oom",            PLACE_POD},
    [ACTION_NEVER_SCHEDULE] = {"never_schedule", PLACE_POD},
    [ACTION_IMAGE_PULL]     = {"image_pull",     PLACE_POD},
    [ACTION_NODE_LOST]      = {"node_lost",      PLACE_POD},
    [ACTION_DELETE]         = {"delete",         PLACE_POD},
    [ACTION_START_ERROR]    = {"start_error",    PLACE_POD},
    [ACTION_NO_POD]         = {"no_pod",         PLACE_JOB},
    [ACTION_LOG_LOST]       = {"log_lost",       PLACE_POD},
};
/* clang-format on */

struct rule {
    struct json_object *given;
    enum place place;
    enum fault_action action;
    int verb;                     /* -1: all */
    const char *resource, *match; /* borrowed from `given`; NULL: all */
    double probability;
    int64_t every, count; /* 0: not limited */
    int64_t ms;
    int64_t seen, hits;
    TAILQ_ENTRY(rule) entry;
};

struct faults {
    TAILQ_HEAD(rules, rule) rules;
    size_t n;
    uint64_t random;
};

struct faults *faults_new(uint64_t seed)
{
    struct faults *fs = mem_new(struct faults);

    TAILQ_INIT(&fs->rules);
    fs->random = seed * 0x9E3779B97F4A7C15ULL | 1; /* xorshift must not start at zero */
    return fs;
}

static void rule_free(struct rule *r)
{
    json_object_put(r->given);
    free(r);
}
DEFINE_CLEANUP(struct rule, rule_free)

static void drop_all(struct rules *rules)
{
    struct rule *r;

    while ((r = TAILQ_FIRST(rules))) {
        TAILQ_REMOVE(rules, r, entry);
        rule_free(r);
    }
}

void faults_clear(struct faults *fs)
{
    drop_all(&fs->rules);
    fs->n = 0;
}

void faults_free(struct faults *fs)
{
    if (!fs)
        return;
    faults_clear(fs);
    free(fs);
}

/* Reading rules. */

static int read_action(struct rule *r, const char *word, struct fault *f)
{
    for (unsigned i = 1; i < COUNT_OF(actions); i++)
        if (strcmp(actions[i].name, word) == 0) {
            r->action = (enum fault_action)i;
            r->place = actions[i].place;
            return 0;
        }
    return fault_set(f, FAULT_INVALID, "\"%.40s\" is no action", word);
}

static int read_verb(struct rule *r, const char *word, struct fault *f)
{
    if (strcmp(word, "*") == 0)
        return 0;
    for (int v = 0; v < VERB_COUNT; v++)
        if (strcmp(verb_name((enum verb)v), word) == 0) {
            r->verb = v;
            return 0;
        }
    return fault_set(f, FAULT_INVALID, "\"%.40s\" is no verb", word);
}

static int read_amount(struct rule *r, struct fault *f)
{
    struct json_object *given = r->given;
    int64_t milli = 1000;

    if (field_milli(given, "probability", FIELD_OPTIONAL, 0, 1000, &milli, f) < 0 ||
        field_int(given, "every", FIELD_OPTIONAL, 1, INT32_MAX, &r->every, f) < 0 ||
        field_int(given, "count", FIELD_OPTIONAL, 1, INT32_MAX, &r->count, f) < 0)
        return -1;
    if (r->every && milli != 1000)
        return fault_set(f, FAULT_INVALID, "\"every\" and \"probability\" exclude each other");
    r->probability = (double)milli / 1000.0;
    return 0;
}

static int read_pod_rule(struct rule *r, const char *pod, const char *action, struct fault *f)
{
    static const char *const known[] = {"pod", "action", "count", "every", "probability", "after_ms", NULL};

    if (field_only(r->given, known, f) < 0)
        return -1;
    if (r->place != PLACE_POD && r->place != PLACE_JOB)
        return fault_set(f, FAULT_INVALID, "\"%.40s\" is no action on a pod", action);
    if (strcmp(pod, "*") != 0)
        r->match = pod;
    return field_int(r->given, "after_ms", FIELD_OPTIONAL, 0, SLOW_MAX_MS, &r->ms, f);
}

static int read_request_rule(struct rule *r, const char *action, struct fault *f)
{
    static const char *const known[] = {"verb",  "resource",    "match",   "action", "count",
                                        "every", "probability", "slow_ms", NULL};
    const char *verb = "*", *resource = "*";

    if (field_only(r->given, known, f) < 0 || field_string(r->given, "verb", FIELD_OPTIONAL, WORD_MAX, &verb, f) < 0 ||
        field_string(r->given, "resource", FIELD_OPTIONAL, WORD_MAX, &resource, f) < 0 ||
        field_string(r->given, "match", FIELD_OPTIONAL, WORD_MAX, &r->match, f) < 0 ||
        field_int(r->given, "slow_ms", FIELD_OPTIONAL, 0, SLOW_MAX_MS, &r->ms, f) < 0 || read_verb(r, verb, f) < 0)
        return -1;
    if (r->place != PLACE_REQUEST && r->place != PLACE_EVENT)
        return fault_set(f, FAULT_INVALID, "\"%.40s\" needs a \"pod\"", action);
    if (strcmp(resource, "*") != 0)
        r->resource = resource;
    return 0;
}

static int read_rule(struct json_object *given, struct rule **ret, struct fault *f)
{
    _cleanup_(rule_freep)
    struct rule *r = mem_new(struct rule);
    const char *pod = NULL, *action = NULL;
    struct json_object *slow = NULL;

    if (!json_object_is_type(given, json_type_object))
        return fault_set(f, FAULT_INVALID, "a rule is a JSON object");
    r->given = json_object_get(given);
    r->verb = -1;
    json_object_object_get_ex(given, "slow_ms", &slow);
    if (field_string(given, "pod", FIELD_OPTIONAL, WORD_MAX, &pod, f) < 0 ||
        field_string(given, "action", slow ? FIELD_OPTIONAL : FIELD_REQUIRED, WORD_MAX, &action, f) < 0 ||
        read_amount(r, f) < 0)
        return -1;
    if (action && read_action(r, action, f) < 0)
        return -1;
    if ((pod ? read_pod_rule(r, pod, action ? action : "", f) : read_request_rule(r, action ? action : "", f)) < 0)
        return -1;
    *ret = TAKE(r);
    return 0;
}

int faults_add(struct faults *fs, struct json_object *rules, struct fault *f)
{
    bool list = json_object_is_type(rules, json_type_array);
    size_t n = list ? json_object_array_length(rules) : 1;
    struct rules read = TAILQ_HEAD_INITIALIZER(read);
    struct rule *r = NULL;

    if (fs->n + n > RULES_MAX)
        return fault_set(f, FAULT_TOO_BIG, "more than %d rules", RULES_MAX);
    for (size_t i = 0; i < n; i++) {
        if (read_rule(list ? json_object_array_get_idx(rules, i) : rules, &r, f) < 0) {
            drop_all(&read);
            return fault_wrap(f, "rule %zu", i);
        }
        TAILQ_INSERT_TAIL(&read, r, entry);
    }
    TAILQ_CONCAT(&fs->rules, &read, entry);
    fs->n += n;
    return 0;
}

/* "a=b,c=3": numbers become numbers, but for the words "action" and "match", which stay text. */
static int read_pairs(const char *text, struct json_object *rule, struct fault *f)
{
    while (*text) {
        size_t len = strcspn(text, ",");
        const char *equals = memchr(text, '=', len);
        _cleanup_free_ char *name = NULL;
        _cleanup_free_ char *value = NULL;
        char *end;
        double number;

        if (!equals)
            return fault_set(f, FAULT_INVALID, "\"%.60s\" is not name=value,...", text);
        name = mem_bytes(text, (size_t)(equals - text));
        value = mem_bytes(equals + 1, len - (size_t)(equals - text) - 1);
        number = strtod(value, &end);
        if (*end || end == value || strcmp(name, "action") == 0 || strcmp(name, "match") == 0)
            json_object_object_add(rule, name, json_object_new_string(value));
        else if (strcmp(name, "probability") == 0)
            json_object_object_add(rule, name, json_object_new_double(number));
        else
            json_object_object_add(rule, name, json_object_new_int64((int64_t)number));
        text += len;
        text += *text == ',';
    }
    return 0;
}

int faults_add_text(struct faults *fs, const char *text, struct fault *f)
{
    _cleanup_(field_putp)
    struct json_object *rules = NULL;

    if (text[0] == '{' || text[0] == '[') {
        if (field_parse(text, strlen(text), 8, &rules, f) < 0)
            return -1;
    } else {
        rules = json_object_new_object();
        if (read_pairs(text, rules, f) < 0)
            return -1;
    }
    return faults_add(fs, rules, f);
}

struct json_object *faults_list(const struct faults *fs)
{
    struct json_object *list = json_object_new_array();
    struct rule *r;

    TAILQ_FOREACH (r, &fs->rules, entry) {
        struct json_object *copy = NULL;

        if (json_object_deep_copy(r->given, &copy, NULL) < 0)
            abort();
        json_object_object_add(copy, "hits", json_object_new_int64(r->hits));
        json_object_array_add(list, copy);
    }
    return list;
}

/* Matching. */

static double next_random(struct faults *fs)
{
    fs->random ^= fs->random >> 12;
    fs->random ^= fs->random << 25;
    fs->random ^= fs->random >> 27;
    return (double)((fs->random * 0x2545F4914F6CDD1DULL) >> 40) / (double)(1 << 24);
}

/* The rule fits: is it this one's turn? Counts it if so. */
static bool takes(struct faults *fs, struct rule *r)
{
    if (r->count && r->hits >= r->count)
        return false;
    r->seen++;
    if (r->every && r->seen % r->every != 0)
        return false;
    if (r->probability < 1.0 && next_random(fs) >= r->probability)
        return false;
    r->hits++;
    return true;
}

static bool fits(const struct rule *r, int verb, const char *resource, const char *name)
{
    if (r->verb >= 0 && r->verb != verb)
        return false;
    if (r->resource && (!resource || strcmp(r->resource, resource) != 0))
        return false;
    return !r->match || (name && strstr(name, r->match));
}

static struct fault_hit find(struct faults *fs, enum place place, int verb, const char *resource, const char *name)
{
    struct fault_hit hit = {ACTION_NONE, 0};
    struct rule *r;

    TAILQ_FOREACH (r, &fs->rules, entry) {
        if (r->place != place || !fits(r, verb, resource, name) || !takes(fs, r))
            continue;
        hit.ms += r->ms;
        if (r->action != ACTION_NONE) {
            hit.action = r->action;
            break;
        }
    }
    return hit;
}

struct fault_hit faults_of_request(struct faults *fs, enum verb verb, const char *resource, const char *name)
{
    return find(fs, PLACE_REQUEST, (int)verb, resource, name);
}

struct fault_hit faults_of_event(struct faults *fs, const char *resource, const char *name)
{
    return find(fs, PLACE_EVENT, VERB_WATCH, resource, name);
}

struct fault_hit faults_of_pod(struct faults *fs, const char *name)
{
    return find(fs, PLACE_POD, -1, NULL, name);
}

struct fault_hit faults_of_job(struct faults *fs, const char *name)
{
    return find(fs, PLACE_JOB, -1, NULL, name);
}
