#include "runner/plan.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const char first_line[] = "execq-plan 1\n";

/* A growing array of any kind; ends with one zeroed element that does not count. */
struct list {
    void *items;
    size_t count, size;
};

struct reader {
    char *at;
    size_t left;
    struct plan plan;
    struct list argv, compile_argv, env, files, outputs, cases, scratch, case_args;
    uint64_t seen; /* bit of each record that may stand only once */
    struct why *why;
};

static void *list_more(struct list *l, size_t size)
{
    l->size = size;
    if ((l->count & (l->count + 1)) == 0 || !l->items) /* room for 1, 3, 7, ... and the one that ends it */
        l->items = need_array(l->items, 2 * l->count + 2, size);
    memset((char *)l->items + l->count * size, 0, 2 * size);
    return (char *)l->items + l->count++ * size;
}

static void *list_take(struct list *l, size_t size)
{
    void *items = l->items ? l->items : need_zero(1, size);

    *l = (struct list){0};
    return items;
}

static void *list_last(struct list *l)
{
    return l->count ? (char *)l->items + (l->count - 1) * l->size : NULL;
}

/* --- values ---------------------------------------------------------------------------------------------------- */

struct value {
    const char *name;
    char *bytes; /* a NUL stands behind them */
    size_t len;
};

static int number(struct reader *r, const struct value *v, int64_t min, int64_t max, int64_t *ret)
{
    int64_t n = 0;
    bool good = v->len > 0 && v->len <= 18 && (v->bytes[0] != '0' || v->len == 1);

    for (size_t i = 0; good && i < v->len; i++) {
        good = v->bytes[i] >= '0' && v->bytes[i] <= '9';
        n = n * 10 + (v->bytes[i] - '0');
    }
    if (!good || n < min || n > max)
        return why_set(r->why, "plan: %s is no number from %lld to %lld", v->name, (long long)min, (long long)max);
    *ret = n;
    return 0;
}

static int string(struct reader *r, const struct value *v, size_t max)
{
    if (v->len > max)
        return why_set(r->why, "plan: %s has more than %zu bytes", v->name, max);
    if (memchr(v->bytes, 0, v->len))
        return why_set(r->why, "plan: %s holds a NUL", v->name);
    return 0;
}

static int add_string(struct reader *r, const struct value *v, struct list *to, size_t most)
{
    if (string(r, v, PLAN_BYTES_MAX) < 0)
        return -1;
    if (to->count >= most)
        return why_set(r->why, "plan: more than %zu of %s", most, v->name);
    *(const char **)list_more(to, sizeof(char *)) = v->bytes;
    return 0;
}

/* A relative path that stays below where it starts: whoever walks it may follow no link. */
static int check_path(struct reader *r, const struct value *v)
{
    size_t depth = 1, start = 0;

    if (string(r, v, PLAN_PATH_MAX) < 0)
        return -1;
    for (size_t i = 0; i <= v->len; i++)
        if (i == v->len || v->bytes[i] == '/') {
            size_t n = i - start;
            const char *part = v->bytes + start;

            if (n == 0 || n > 255 || (n == 1 && part[0] == '.') || (n == 2 && part[0] == '.' && part[1] == '.'))
                return why_set(r->why, "plan: %s \"%.100s\" is no path below the working directory", v->name, v->bytes);
            depth += i < v->len;
            start = i + 1;
        }
    if (depth > PLAN_DEPTH_MAX)
        return why_set(r->why, "plan: %s \"%.100s\" is deeper than %d folders", v->name, v->bytes, PLAN_DEPTH_MAX);
    return 0;
}

static int check_absolute(struct reader *r, const struct value *v)
{
    if (string(r, v, PLAN_PATH_MAX) < 0)
        return -1;
    if (v->bytes[0] != '/')
        return why_set(r->why, "plan: %s \"%.100s\" is not absolute", v->name, v->bytes);
    return 0;
}

/* --- records --------------------------------------------------------------------------------------------------- */

static int take_arg(struct reader *r, const struct value *v)
{
    return add_string(r, v, &r->argv, PLAN_ARGS_MAX);
}

static int take_compile_arg(struct reader *r, const struct value *v)
{
    return add_string(r, v, &r->compile_argv, PLAN_ARGS_MAX);
}

static int take_env(struct reader *r, const struct value *v)
{
    const char *equals = memchr(v->bytes, '=', v->len);

    if (!equals || equals == v->bytes)
        return why_set(r->why, "plan: %s is not NAME=VALUE", v->name);
    return add_string(r, v, &r->env, PLAN_ENV_MAX);
}

static int take_cwd(struct reader *r, const struct value *v)
{
    if (check_absolute(r, v) < 0)
        return -1;
    r->plan.cwd = v->bytes;
    return 0;
}

static int take_scratch(struct reader *r, const struct value *v)
{
    return check_absolute(r, v) < 0 ? -1 : add_string(r, v, &r->scratch, PLAN_SCRATCH_MAX);
}

static int take_stdin(struct reader *r, const struct value *v)
{
    r->plan.in = (struct span){v->bytes, v->len};
    return 0;
}

static int take_file(struct reader *r, const struct value *v)
{
    struct plan_file *file = NULL;

    if (check_path(r, v) < 0)
        return -1;
    if (r->files.count >= PLAN_FILES_MAX)
        return why_set(r->why, "plan: more than %d of %s", PLAN_FILES_MAX, v->name);
    file = list_more(&r->files, sizeof(*file));
    file->path = v->bytes;
    file->mode = 0644;
    return 0;
}

static int behind(struct reader *r, const struct value *v, struct list *l, const char *what, void *ret)
{
    void *last = list_last(l);

    if (!last)
        return why_set(r->why, "plan: %s stands before any %s", v->name, what);
    *(void **)ret = last;
    return 0;
}

static int take_file_mode(struct reader *r, const struct value *v)
{
    struct plan_file *file = NULL;
    int64_t mode = 0;

    if (behind(r, v, &r->files, "file", &file) < 0)
        return -1;
    for (size_t i = 0; i < v->len; i++)
        mode = v->len > 4 || v->bytes[i] < '0' || v->bytes[i] > '7' ? -1 : mode < 0 ? -1 : mode * 8 + v->bytes[i] - '0';
    if (v->len == 0 || mode < 0 || mode > 0777)
        return why_set(r->why, "plan: %s is no octal mode from 0 to 777", v->name);
    file->mode = mode;
    return 0;
}

static int take_file_bytes(struct reader *r, const struct value *v)
{
    struct plan_file *file = NULL;

    if (behind(r, v, &r->files, "file", &file) < 0)
        return -1;
    file->content = (struct span){v->bytes, v->len};
    return 0;
}

static int take_output(struct reader *r, const struct value *v)
{
    struct plan_output *output = NULL;

    if (string(r, v, PLAN_PATH_MAX) < 0)
        return -1;
    if (v->len == 0 || r->outputs.count >= PLAN_OUTPUTS_MAX)
        return why_set(r->why, "plan: %s is empty, or there are more than %d", v->name, PLAN_OUTPUTS_MAX);
    output = list_more(&r->outputs, sizeof(*output));
    *output = (struct plan_output){v->bytes, 65536};
    return 0;
}

static int take_output_bytes(struct reader *r, const struct value *v)
{
    struct plan_output *output = NULL;

    return behind(r, v, &r->outputs, "output", &output) < 0 ? -1 : number(r, v, 0, PLAN_BYTES_MAX, &output->max_bytes);
}

/* The arguments that were collected belong to the case before this record. */
static void close_case(struct reader *r)
{
    struct plan_case *last = list_last(&r->cases);

    if (last)
        last->args = list_take(&r->case_args, sizeof(char *));
}

static int take_case(struct reader *r, const struct value *v)
{
    if (v->len > 0 || r->cases.count >= PLAN_CASES_MAX)
        return why_set(r->why, "plan: %s is not empty, or there are more than %d", v->name, PLAN_CASES_MAX);
    close_case(r);
    list_more(&r->cases, sizeof(struct plan_case));
    return 0;
}

static int take_case_arg(struct reader *r, const struct value *v)
{
    struct plan_case *c = NULL;

    return behind(r, v, &r->cases, "case", &c) < 0 ? -1 : add_string(r, v, &r->case_args, PLAN_ARGS_MAX);
}

static int take_case_stdin(struct reader *r, const struct value *v)
{
    struct plan_case *c = NULL;

    if (behind(r, v, &r->cases, "case", &c) < 0)
        return -1;
    c->in = (struct span){v->bytes, v->len};
    return 0;
}

static int take_case_timeout(struct reader *r, const struct value *v)
{
    struct plan_case *c = NULL;

    return behind(r, v, &r->cases, "case", &c) < 0 ? -1 : number(r, v, 1, PLAN_MS_MAX, &c->timeout_ms);
}

static int take_case_compare(struct reader *r, const struct value *v)
{
    static const char *const modes[] = {
        [COMPARE_EXACT] = "exact", [COMPARE_TRIMMED] = "trimmed", [COMPARE_TOKENS] = "tokens"};
    struct plan_case *c = NULL;

    if (behind(r, v, &r->cases, "case", &c) < 0)
        return -1;
    for (size_t i = 0; i < COUNT_OF(modes); i++)
        if (v->len == strlen(modes[i]) && memcmp(v->bytes, modes[i], v->len) == 0) {
            c->mode = (enum compare_mode)i;
            return 0;
        }
    return why_set(r->why, "plan: %s is not exact, trimmed or tokens", v->name);
}

static int take_case_digest(struct reader *r, const struct value *v)
{
    static const char digits[] = "0123456789abcdef";
    struct plan_case *c = NULL;

    if (behind(r, v, &r->cases, "case", &c) < 0)
        return -1;
    for (size_t i = 0; i < v->len; i++)
        if (v->len != 2 * SHA256_BYTES || !memchr(digits, v->bytes[i], 16))
            return why_set(r->why, "plan: %s is not 64 hexadecimal digits", v->name);
    for (size_t i = 0; i < v->len; i++) {
        const char *digit = strchr(digits, v->bytes[i]);

        c->digest[i / 2] = (unsigned char)(c->digest[i / 2] << 4 | (unsigned char)(digit - digits));
    }
    c->has_digest = v->len > 0;
    return 0;
}

/* clang-format off */
#define LIMIT(name, field, min, max, silent) {name, NULL, offsetof(struct plan, field), min, max, silent}
static const struct record {
    const char *name;
    int (*take)(struct reader *r, const struct value *v); /* NULL: a number that may stand once */
    size_t field;
    int64_t min, max, silent; /* and what counts where the plan does not say */
} records[] = {
    {"arg",            take_arg, 0, 0, 0, 0},
    {"compile-arg",    take_compile_arg, 0, 0, 0, 0},
    {"env",            take_env, 0, 0, 0, 0},
    {"cwd",            take_cwd, 0, 0, 0, 0},
    {"stdin",          take_stdin, 0, 0, 0, 0},
    {"scratch",        take_scratch, 0, 0, 0, 0},
    {"file",           take_file, 0, 0, 0, 0},
    {"file-mode",      take_file_mode, 0, 0, 0, 0},
    {"file-bytes",     take_file_bytes, 0, 0, 0, 0},
    {"output",         take_output, 0, 0, 0, 0},
    {"output-max",     take_output_bytes, 0, 0, 0, 0},
    {"case",           take_case, 0, 0, 0, 0},
    {"case-arg",       take_case_arg, 0, 0, 0, 0},
    {"case-stdin",     take_case_stdin, 0, 0, 0, 0},
    {"case-digest",    take_case_digest, 0, 0, 0, 0},
    {"case-compare",   take_case_compare, 0, 0, 0, 0},
    {"case-timeout-ms", take_case_timeout, 0, 0, 0, 0},
    LIMIT("timeout-ms",         timeout_ms,         1, PLAN_MS_MAX, 300000),
    LIMIT("compile-timeout-ms", compile_timeout_ms, 1, PLAN_MS_MAX, 60000),
    LIMIT("total-ms",           total_ms,           1, PLAN_MS_MAX, PLAN_MS_MAX),
    LIMIT("grace-ms",           grace_ms,           0, 10000, 200),
    LIMIT("cpu-ms",             cpu_ms,             0, PLAN_MS_MAX, 0),
    LIMIT("output-bytes",       output_bytes,       0, 16 << 20, 1 << 20),
    LIMIT("case-output-bytes",  case_output_bytes,  0, 16 << 20, 4096),
    LIMIT("kill-output-bytes",  kill_output_bytes,  0, INT64_C(1) << 50, 0),
    LIMIT("report-bytes",       report_bytes,       0, 64 << 20, 4 << 20),
    LIMIT("file-size-bytes",    file_size_bytes,    0, INT64_C(1) << 50, 0),
    LIMIT("disk-bytes",         disk_bytes,         0, INT64_C(1) << 50, 0),
    LIMIT("processes",          processes,          0, 100000, 0),
    LIMIT("stack-bytes",        stack_bytes,        0, INT64_C(1) << 40, 0),
    LIMIT("core-bytes",         core_bytes,         0, INT64_C(1) << 40, 0),
    LIMIT("address-bytes",      address_bytes,      0, INT64_C(1) << 50, 0),
    LIMIT("open-files",         open_files,         0, 1 << 20, 0),
    LIMIT("network",            network,            0, 1, 0),
    LIMIT("isolate",            isolate,            0, 1, 1),
    LIMIT("stop-on-first-failure", stop_on_first_failure, 0, 1, 0),
    LIMIT("announce",           announce,           0, 1, 0),
};
/* clang-format on */

_Static_assert(COUNT_OF(records) <= 64, "one bit for each record in `seen`");

static bool stands_once(const struct record *record)
{
    return !record->take || record->take == take_cwd || record->take == take_stdin;
}

static int take_record(struct reader *r, const struct value *v)
{
    for (size_t i = 0; i < COUNT_OF(records); i++) {
        const struct record *record = &records[i];
        uint64_t bit = UINT64_C(1) << i;

        if (strcmp(record->name, v->name) != 0)
            continue;
        if (stands_once(record) && (r->seen & bit))
            return why_set(r->why, "plan: %s stands twice", v->name);
        r->seen |= bit;
        if (record->take)
            return record->take(r, v);
        return number(r, v, record->min, record->max, (int64_t *)((char *)&r->plan + record->field));
    }
    return why_set(r->why, "plan: no record is called \"%s\"", v->name);
}

/* "NAME LENGTH LF": 1 and a value, or -1. */
static int read_head(struct reader *r, char name[32], size_t *ret_len)
{
    size_t most = r->left < 48 ? r->left : 48, n = 0, len = 0, digits = 0;

    while (n < most && n < 31 && ((r->at[n] >= 'a' && r->at[n] <= 'z') || r->at[n] == '-')) {
        name[n] = r->at[n];
        n++;
    }
    name[n] = 0;
    if (n == 0 || n == most || r->at[n] != ' ')
        return why_set(r->why, "plan: what should be a record has no name");
    for (n++; n < most && digits < 8 && r->at[n] >= '0' && r->at[n] <= '9'; n++, digits++)
        len = len * 10 + (size_t)(r->at[n] - '0');
    if (digits == 0 || n == most || r->at[n] != '\n' || (digits > 1 && r->at[n - digits] == '0'))
        return why_set(r->why, "plan: the length of %s is no plain number", name);
    r->at += n + 1;
    r->left -= n + 1;
    if (r->left < len + 1 || r->at[len] != '\n')
        return why_set(r->why, "plan: %s has not the length it says, or the plan is cut", name);
    *ret_len = len;
    return 0;
}

static int read_records(struct reader *r)
{
    for (;;) {
        char name[32];
        struct value v = {.name = name};

        if (read_head(r, name, &v.len) < 0)
            return -1;
        v.bytes = r->at;
        v.bytes[v.len] = 0; /* where the line end was */
        r->at += v.len + 1;
        r->left -= v.len + 1;
        if (strcmp(name, "end") == 0)
            return v.len == 0 && r->left == 0 ? 0 : why_set(r->why, "plan: something stands behind its end");
        if (take_record(r, &v) < 0)
            return -1;
    }
}

static void hand_over(struct reader *r)
{
    struct plan *p = &r->plan;

    close_case(r);
    p->file_count = r->files.count;
    p->output_count = r->outputs.count;
    p->case_count = r->cases.count;
    p->argv = list_take(&r->argv, sizeof(char *));
    p->compile_argv = r->compile_argv.count ? list_take(&r->compile_argv, sizeof(char *)) : NULL;
    p->env = list_take(&r->env, sizeof(char *));
    p->scratch = list_take(&r->scratch, sizeof(char *));
    p->files = list_take(&r->files, sizeof(struct plan_file));
    p->outputs = list_take(&r->outputs, sizeof(struct plan_output));
    p->cases = list_take(&r->cases, sizeof(struct plan_case));
    free(r->case_args.items);
}

int plan_parse(char *bytes, size_t len, struct plan *ret_plan, struct why *why)
{
    size_t first = sizeof(first_line) - 1;
    struct reader r = {.at = bytes + first, .left = len - first, .why = why};
    int result;

    if (len > PLAN_BYTES_MAX)
        return why_set(why, "plan: more than %d bytes", PLAN_BYTES_MAX);
    if (len < first || memcmp(bytes, first_line, first) != 0)
        return why_set(why, "plan: its first line is not that of version 1");
    for (size_t i = 0; i < COUNT_OF(records); i++)
        if (!records[i].take)
            *(int64_t *)((char *)&r.plan + records[i].field) = records[i].silent;
    result = read_records(&r);
    if (result == 0 && r.argv.count == 0)
        result = why_set(why, "plan: it has no arg");
    if (result == 0 && !r.plan.cwd)
        result = why_set(why, "plan: it has no cwd");
    hand_over(&r);
    if (result < 0)
        plan_release(&r.plan);
    else
        *ret_plan = r.plan;
    return result;
}

void plan_release(struct plan *p)
{
    for (size_t i = 0; i < p->case_count; i++)
        free(p->cases[i].args);
    free(p->argv);
    free(p->compile_argv);
    free(p->env);
    free(p->scratch);
    free(p->files);
    free(p->outputs);
    free(p->cases);
    *p = (struct plan){0};
}
