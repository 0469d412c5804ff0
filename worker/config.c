#include "worker/config.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "queue/conn.h"
#include "worker/probe.h"
#include "worker/runner_programs.h"

enum { FILE_MAX = 256 * 1024, NAME_LEN = 64 };

enum type { TEXT, SECRET_URL, NAME, INT, BYTES, TIME, CPU, BOOL, LEVEL, FORMAT, LANGUAGE };

struct setting {
    const char *name;
    enum type type;
    size_t at;
    const char *preset;
    int64_t min, max;
    const char *help;
};

#if defined(__aarch64__)
#define NATIVE_ARCH "arm64"
#else
#define NATIVE_ARCH "amd64"
#endif

#define AT(field) offsetof(struct config, field)
#define ONE_DAY   86400000
#define GIB(n)    ((int64_t)(n) << 30)

/* The flag is --NAME, the environment variable EXECQ_NAME with _ for -. A row with `help` alone is a heading. */
/* clang-format off */
static const struct setting table[] = {
    {.help = "Queue"},
    {"redis-url", SECRET_URL, AT(redis_url), "redis://127.0.0.1:6379", 0, 0, "redis://[user[:password]@]host[:port][/db] or unix:///path/to.sock"},
    {"queue", NAME, AT(queue), "default", 0, 0, "name of the queue: requests are read from execq:{NAME}:requests"},
    {"worker-name", NAME, AT(worker_name), "", 0, 0, "this worker; must be unique (default: host, pid and a random part)"},
    {"slots", INT, AT(slots), "64", 1, 10000, "requests in flight at once"},
    {"grace", TIME, AT(grace_ms), "25s", 0, ONE_DAY, "after SIGTERM: time to finish what runs; the rest is handed back"},
    {"lease", TIME, AT(lease_ms), "30s", 1000, 3600000, "a worker that is silent for so long loses its requests to others"},
    {"payload-max", BYTES, AT(payload_max), "1Mi", 1024, 1048576, "largest request"},
    {"result-max", BYTES, AT(result_max), "4Mi", 4096, 64 << 20, "largest encoded result"},
    {"dead-max", INT, AT(dead_max), "10000", 0, 100000000, "most entries of the list of dead requests"},
    {"dead-max-bytes", BYTES, AT(dead_max_bytes), "256Mi", 0, GIB(64), "most bytes of it"},
    {"inbox-max", INT, AT(inbox_max), "1000000", 1, INT64_MAX / 2, "most waiting requests; what is over it is rejected"},
    {"inbox-max-bytes", BYTES, AT(inbox_max_bytes), "1Gi", 1048576, GIB(1024), "most bytes of waiting requests"},
    {.help = "Cluster"},
    {"kubeconfig", TEXT, AT(kubeconfig), "", 0, 0, "file (default: $KUBECONFIG, the pod's own account, ~/.kube/config)"},
    {"context", TEXT, AT(context), "", 0, 0, "context of the kubeconfig (default: its current-context)"},
    {"namespace", TEXT, AT(namespace_), "", 0, 0, "where the Jobs run (default: the context's)"},
    {"runtime-class", TEXT, AT(runtime_class), "gvisor", 0, 0, "RuntimeClass of the pods; empty: the cluster's default"},
    {"gvisor-toleration", BOOL, AT(gvisor_toleration), "true", 0, 0, "tolerate sandbox.gke.io/runtime=gvisor:NoSchedule"},
    {"service-account", TEXT, AT(service_account), "", 0, 0, "of the pods; its token is never mounted"},
    {"priority-class", TEXT, AT(priority_class), "", 0, 0, "of the pods"},
    {"node-arch", TEXT, AT(node_arch), NATIVE_ARCH, 0, 0, "kubernetes.io/arch of the nodes: amd64 or arm64"},
    {"runner-path", TEXT, AT(runner_path), "", 0, 0, "execq-runner in the image (default: a ConfigMap brings it to any image)"},
    {"run-as", INT, AT(run_as), "65532", 1, 4294967294, "user and group id of the code"},
    {"seccomp", BOOL, AT(seccomp), "true", 0, 0, "seccompProfile RuntimeDefault (Pod Security \"restricted\" needs it)"},
    {"write-rate", INT, AT(write_rate), "50", 1, 10000, "creates and deletes a second"},
    {"call-timeout", TIME, AT(call_ms), "10s", 100, 600000, "for one try of an API call"},
    {"call-budget", TIME, AT(call_budget_ms), "30s", 100, 3600000, "for an API call with all its repeats"},
    {"start-budget", TIME, AT(start_budget_ms), "120s", 1000, ONE_DAY, "from the Job to the start of the code: scheduling and image pull"},
    {"job-ttl", TIME, AT(job_ttl_ms), "300s", 1000, ONE_DAY, "a finished Job that nobody deleted goes after this"},
    {"sweep", TIME, AT(sweep_ms), "30s", 1000, ONE_DAY, "how often to look for Jobs that dead workers left"},
    {"canary", TEXT, AT(canary), "python", 0, 0, "languages tried before anything is claimed, comma-separated; empty: nothing is tried"},
    {"allow-open-network", BOOL, AT(allow_open_network), "false", 0, 0, "work although the canary found the pods' network open"},
    {.help = "Requests: what one may ask for, and gets if it is silent"},
    {"images", TEXT, AT(images), "", 0, 0, "images that a request may name, comma-separated; an entry may end in *"},
    {"language", LANGUAGE, AT(languages), "", 0, 0, "adds one: NAME=IMAGE,FILE,RUN... or NAME=IMAGE,FILE,COMPILE...,=>,RUN... (may be given again and again)"},
    {"timeout", TIME, AT(timeout_ms), "300s", 1, ONE_DAY, "wall time of the code"},
    {"timeout-max", TIME, AT(timeout_max_ms), "1h", 1, ONE_DAY, ""},
    {"cpu", CPU, AT(cpu_milli), "500m", 1, 1000000, "CPU limit"},
    {"cpu-max", CPU, AT(cpu_max_milli), "2", 1, 1000000, ""},
    {"cpu-request", CPU, AT(cpu_request_milli), "200m", 1, 1000000, "CPU reserved on the node (never over the limit)"},
    {"memory", BYTES, AT(memory_bytes), "512Mi", 1048576, GIB(4096), "memory limit"},
    {"memory-max", BYTES, AT(memory_max_bytes), "4Gi", 1048576, GIB(4096), ""},
    {"memory-request", BYTES, AT(memory_request_bytes), "256Mi", 1048576, GIB(4096), "memory reserved on the node (never over the limit)"},
    {"disk", BYTES, AT(disk_bytes), "256Mi", 1048576, GIB(4096), "what the code may write"},
    {"disk-max", BYTES, AT(disk_max_bytes), "4Gi", 1048576, GIB(4096), ""},
    {"output-max", BYTES, AT(output_max), "1Mi", 1, 16 << 20, "bytes of a stream that a result carries"},
    {"output-limit", BYTES, AT(output_limit), "64Mi", 1024, GIB(64), "code that writes more to one stream is ended (output_limit)"},
    {"processes", INT, AT(processes), "512", 0, 1000000, "processes and threads of the code, where its own user namespace counts them (gVisor); 0: any"},
    {"compile-timeout", TIME, AT(compile_timeout_ms), "60s", 1, ONE_DAY, "of the compile stage of languages that have one"},
    {"result-ttl", TIME, AT(result_ttl_ms), "1h", 1000, 30LL * ONE_DAY, "how long a result is kept"},
    {"result-ttl-max", TIME, AT(result_ttl_max_ms), "24h", 1000, 30LL * ONE_DAY, ""},
    {"retry-infra", INT, AT(retry_infra), "2", 0, 100, "further attempts after a fault of our side"},
    {"retry-code", INT, AT(retry_code), "0", 0, 100, "further attempts after a failure of the code"},
    {"retry-max", INT, AT(retry_max), "10", 0, 100, "most of each that a request may ask for"},
    {.help = "Log"},
    {"log-level", LEVEL, AT(log_level), "info", 0, 0, "error, warning, info or debug"},
    {"log-format", FORMAT, AT(log_format), "text", 0, 0, "text (key=value) or json"},
};
/* clang-format on */

static const struct setting *find(const char *name, size_t len)
{
    for (size_t i = 0; i < COUNT_OF(table); i++)
        if (table[i].name && strlen(table[i].name) == len && memcmp(table[i].name, name, len) == 0)
            return &table[i];
    return NULL;
}

static void *place(struct config *c, const struct setting *s)
{
    return (char *)c + s->at;
}

static void set_text(struct config *c, const struct setting *s, const char *value)
{
    char **text = place(c, s);

    free(*text);
    *text = mem_string(value);
}

static int set_bool(bool *ret, const char *value, struct fault *f)
{
    if (strcmp(value, "true") == 0 || strcmp(value, "1") == 0 || strcmp(value, "yes") == 0)
        *ret = true;
    else if (strcmp(value, "false") == 0 || strcmp(value, "0") == 0 || strcmp(value, "no") == 0)
        *ret = false;
    else
        return fault_set(f, FAULT_INVALID, "\"%.40s\" is neither true nor false", value);
    return 0;
}

static int set_number(struct config *c, const struct setting *s, const char *value, struct fault *f)
{
    int64_t n;
    int r = s->type == INT     ? text_to_int(value, INT64_MIN, INT64_MAX, &n, f)
            : s->type == BYTES ? text_to_bytes(value, &n, f)
            : s->type == TIME  ? text_to_ms(value, &n, f)
                               : text_to_milli_cpu(value, &n, f);

    if (r < 0)
        return -1;
    if (n < s->min || n > s->max)
        return fault_set(f, FAULT_INVALID, "\"%.40s\" is out of range (%lld to %lld%s)", value, (long long)s->min,
                         (long long)s->max,
                         s->type == TIME  ? " ms"
                         : s->type == CPU ? " thousandths"
                                          : "");
    *(int64_t *)place(c, s) = n;
    return 0;
}

static int set_value(struct config *c, const struct setting *s, const char *value, struct fault *f)
{
    enum log_level level;

    switch (s->type) {
    case BOOL:
        return set_bool(place(c, s), value, f);
    case LANGUAGE:
        return *value ? languages_set(&c->languages, value, f) : 0;
    case INT:
    case BYTES:
    case TIME:
    case CPU:
        return set_number(c, s, value, f);
    case NAME:
        if (*value && !text_is_name(value, 63, "._-"))
            return fault_set(f, FAULT_INVALID, "\"%.40s\" may only have A-Z a-z 0-9 . _ -, at most 63", value);
        break;
    case LEVEL:
        if (log_level_parse(value, &level, f) < 0)
            return -1;
        break;
    case FORMAT:
        if (strcmp(value, "text") != 0 && strcmp(value, "json") != 0)
            return fault_set(f, FAULT_INVALID, "\"%.40s\" is neither text nor json", value);
        break;
    case TEXT:
    case SECRET_URL:
        break;
    }
    set_text(c, s, value);
    return 0;
}

static void set_presets(struct config *c)
{
    struct fault f;

    languages_init(&c->languages);
    for (size_t i = 0; i < COUNT_OF(table); i++)
        if (table[i].name && set_value(c, &table[i], table[i].preset, &f) < 0)
            abort(); /* the table contradicts itself */
}

/* One line: blank, a # comment, or "name = value". */
static int read_line(struct config *c, char *line, struct fault *f)
{
    const struct setting *s;
    char *equals, *end;

    while (isspace((unsigned char)*line))
        line++;
    if (!*line || *line == '#')
        return 0;
    equals = strchr(line, '=');
    if (!equals)
        return fault_set(f, FAULT_INVALID, "not of the form name = value");
    for (end = equals; end > line && isspace((unsigned char)end[-1]); end--)
        ;
    s = find(line, (size_t)(end - line));
    if (!s)
        return fault_set(f, FAULT_INVALID, "unknown setting \"%.*s\"", (int)(end - line < 60 ? end - line : 60), line);
    for (equals++; isspace((unsigned char)*equals); equals++)
        ;
    for (end = equals + strlen(equals); end > equals && isspace((unsigned char)end[-1]); end--)
        ;
    *end = '\0';
    if (set_value(c, s, equals, f) < 0)
        return fault_wrap(f, "%s", s->name);
    return 0;
}

int config_read_text(struct config *c, const char *name, const char *text, size_t len, struct fault *f)
{
    const char *end = text + len;

    for (int number = 1; text < end; number++) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        size_t n = (size_t)((stop ? stop : end) - text);
        _cleanup_free_ char *line = mem_bytes(text, n);

        if (memchr(line, '\0', n))
            return fault_set(f, FAULT_INVALID, "%s:%d: holds a NUL character", name, number);
        if (read_line(c, line, f) < 0)
            return fault_wrap(f, "%s:%d", name, number);
        text += n + 1;
    }
    return 0;
}

static int read_file(struct config *c, const char *path, struct fault *f)
{
    _cleanup_(buf_release)
    struct buf text = BUF_INIT(FILE_MAX);
    FILE *file = fopen(path, "re");
    char chunk[4096];
    size_t n;
    int r = 0;

    if (!file)
        return fault_errno(f, errno, "%s", path);
    while (r == 0 && (n = fread(chunk, 1, sizeof(chunk), file)) > 0)
        r = buf_add(&text, chunk, n, f);
    if (r == 0 && ferror(file))
        r = fault_errno(f, errno, "%s", path);
    fclose(file);
    return r < 0 ? r : config_read_text(c, path, buf_str(&text), text.len, f);
}

static void environment_name(const struct setting *s, char ret[NAME_LEN])
{
    char *out = ret + snprintf(ret, NAME_LEN, "EXECQ_%s", s->name);

    for (char *p = ret; p < out; p++)
        *p = *p == '-' ? '_' : (char)toupper((unsigned char)*p);
}

static const char *look_up(char *const environment[], const char *name)
{
    size_t len = strlen(name);

    for (; *environment; environment++)
        if (strncmp(*environment, name, len) == 0 && (*environment)[len] == '=')
            return *environment + len + 1;
    return NULL;
}

static int read_environment(struct config *c, char *const environment[], struct fault *f)
{
    char name[NAME_LEN];

    for (size_t i = 0; i < COUNT_OF(table); i++) {
        const char *value;

        if (!table[i].name)
            continue;
        environment_name(&table[i], name);
        value = look_up(environment, name);
        if (value && set_value(c, &table[i], value, f) < 0)
            return fault_wrap(f, "%s", name);
    }
    return 0;
}

/* Walks the command line. With `c` NULL only finds --config and the action, so that the file can come first. */
static int read_flags(struct config *c, int argc, char *const argv[], const char **ret_file,
                      enum config_action *ret_action, struct fault *f)
{
    for (int i = 1; i < argc; i++) {
        const char *flag = argv[i], *equals = strchr(flag, '='), *value;
        size_t len = equals ? (size_t)(equals - flag) : strlen(flag);
        const struct setting *s;

        if (strcmp(flag, "--help") == 0 || strcmp(flag, "-h") == 0)
            *ret_action = CONFIG_HELP;
        else if (strcmp(flag, "--version") == 0)
            *ret_action = CONFIG_VERSION;
        else if (strcmp(flag, "--check-config") == 0)
            *ret_action = CONFIG_CHECK;
        else if (strcmp(flag, "--runner-manifest") == 0)
            *ret_action = CONFIG_RUNNER_MANIFEST;
        else if (strcmp(flag, "--doctor") == 0)
            *ret_action = CONFIG_DOCTOR;
        else if (strcmp(flag, "--doctor=json") == 0)
            *ret_action = CONFIG_DOCTOR_JSON;
        else {
            bool is_file = len == 8 && memcmp(flag, "--config", 8) == 0;

            s = len > 2 && memcmp(flag, "--", 2) == 0 ? find(flag + 2, len - 2) : NULL;
            if (!s && !is_file)
                return fault_set(f, FAULT_INVALID, "unknown option %.*s (--help lists them)",
                                 (int)(len < 60 ? len : 60), flag);
            value = equals ? equals + 1 : i + 1 < argc ? argv[++i] : NULL;
            if (!value)
                return fault_set(f, FAULT_INVALID, "%s needs a value", flag);
            if (is_file)
                *ret_file = value;
            else if (c && set_value(c, s, value, f) < 0)
                return fault_wrap(f, "--%s", s->name);
        }
    }
    return 0;
}

/* Without a runner for the nodes no pod would start. */
static int check_runner(const struct config *c, struct fault *f)
{
    const struct runner_program *all;
    size_t n = runner_programs(&all);
    char have[64] = "";

    if (*c->runner_path) {
        if (c->runner_path[0] != '/')
            return fault_set(f, FAULT_INVALID, "runner-path must be an absolute path in the image");
        return 0;
    }
    if (runner_program_for(c->node_arch))
        return 0;
    for (size_t i = 0; i < n; i++)
        snprintf(have + strlen(have), sizeof(have) - strlen(have), "%s%s", i ? " and " : "", all[i].arch);
    return fault_set(
        f, FAULT_INVALID,
        "node-arch \"%.20s\": this program carries a runner for %s only (or name one in the image: runner-path)",
        c->node_arch, have);
}

static int check(const struct config *c, struct fault *f)
{
    const char *name = c->worker_name;
    struct probe probes[PROBES_MAX];
    struct redis_url url;
    size_t count;

    if (c->timeout_ms > c->timeout_max_ms)
        return fault_set(f, FAULT_INVALID, "timeout is over timeout-max");
    if (c->cpu_milli > c->cpu_max_milli)
        return fault_set(f, FAULT_INVALID, "cpu is over cpu-max");
    if (c->memory_bytes > c->memory_max_bytes)
        return fault_set(f, FAULT_INVALID, "memory is over memory-max");
    if (c->disk_bytes > c->disk_max_bytes)
        return fault_set(f, FAULT_INVALID, "disk is over disk-max");
    if (c->result_ttl_ms > c->result_ttl_max_ms)
        return fault_set(f, FAULT_INVALID, "result-ttl is over result-ttl-max");
    if (redis_url_parse(c->redis_url, &url, f) < 0)
        return fault_wrap(f, "redis-url");
    redis_url_release(&url);
    if (check_runner(c, f) < 0)
        return -1;
    if (probes_of(c->canary, &c->languages, probes, &count, f) < 0)
        return fault_wrap(f, "canary");
    if (!*c->queue)
        return fault_set(f, FAULT_INVALID, "queue must not be empty");
    if (*name && !(isalnum((unsigned char)name[0]) && isalnum((unsigned char)name[strlen(name) - 1])))
        return fault_set(f, FAULT_INVALID, "worker-name must begin and end with a letter or a digit (it is a label)");
    return 0;
}

int config_load(struct config *c, int argc, char *const argv[], char *const environment[],
                enum config_action *ret_action, struct fault *f)
{
    const char *file = look_up(environment, "EXECQ_CONFIG");

    *ret_action = CONFIG_RUN;
    set_presets(c);
    if (read_flags(NULL, argc, argv, &file, ret_action, f) < 0)
        return -1;
    if (*ret_action == CONFIG_HELP || *ret_action == CONFIG_VERSION || *ret_action == CONFIG_RUNNER_MANIFEST)
        return 0;
    if (file && *file && read_file(c, file, f) < 0)
        return -1;
    if (read_environment(c, environment, f) < 0 || read_flags(c, argc, argv, &file, ret_action, f) < 0)
        return -1;
    return check(c, f);
}

void config_release(struct config *c)
{
    for (size_t i = 0; i < COUNT_OF(table); i++)
        if (table[i].name && (table[i].type == TEXT || table[i].type == SECRET_URL || table[i].type == NAME ||
                              table[i].type == LEVEL || table[i].type == FORMAT)) {
            free(*(char **)place(c, &table[i]));
            *(char **)place(c, &table[i]) = NULL;
        }
    languages_release(&c->languages);
}

void config_help(void)
{
    puts(
        "execq-worker: takes requests from a Redis list, runs each in a Kubernetes Job, publishes the results.\n\n"
        "  execq-worker [--config FILE] [--SETTING VALUE]...\n"
        "  execq-worker --check-config    print the effective settings and leave\n"
        "  execq-worker --runner-manifest print the ConfigMap of the runner, for kubectl create -f -\n"
        "  execq-worker --doctor          look whether Redis and the cluster are fit for it, say what to change, leave\n"
        "                                 (--doctor=json for programs; takes settings as ever, claims nothing)\n"
        "  execq-worker --version | --help\n\n"
        "A setting is given as --slots 8, as EXECQ_SLOTS=8 in the environment, or as slots = 8 in FILE; the first of\n"
        "these that is there counts. Times: 250ms, 30s, 5m, 1h. Sizes: 512Mi, 1G.\n"
        "Signals: SIGTERM or SIGINT drains (see grace), a second one leaves at once.\n"
        "Exit codes: 0 after a drain, 1 failed, 2 a setting must be changed; --doctor: 0 well, 1 something is bad, 2 a\n"
        "setting must be changed.");
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        const struct setting *s = &table[i];

        if (!s->name)
            printf("\n%s\n", s->help);
        else if (*s->help)
            printf("  --%-20s %s%s%s%s\n", s->name, s->help, *s->preset ? " [" : "", s->preset, *s->preset ? "]" : "");
        else
            printf("  --%-20s the most that a request may ask for [%s]\n", s->name, s->preset);
    }
}

/* redis://user:***@host: from the last @ back to the first : after the scheme. */
static void print_url(const char *name, const char *url)
{
    const char *scheme = strstr(url, "://"), *at = strrchr(url, '@');
    const char *start = scheme ? scheme + 3 : url;
    const char *colon = at && at > start ? memchr(start, ':', (size_t)(at - start)) : NULL;

    if (colon)
        printf("%s = %.*s:***%s\n", name, (int)(colon - url), url, at);
    else
        printf("%s = %s\n", name, url);
}

static void print_languages(const struct languages *l)
{
    for (size_t i = 0; i < l->count; i++) {
        _cleanup_free_ char *text = language_text(&l->list[i]);

        printf("language = %s\n", text);
    }
}

/* In a form that the file and the flags take back. */
static void print_number(const struct setting *s, int64_t n)
{
    if (s->type == TIME && n % 1000 == 0)
        printf("%s = %llds\n", s->name, (long long)n / 1000);
    else
        printf("%s = %lld%s\n", s->name, (long long)n, s->type == TIME ? "ms" : s->type == CPU ? "m" : "");
}

void config_print(const struct config *c)
{
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        const struct setting *s = &table[i];
        const void *at = (const char *)c + s->at;

        if (!s->name)
            printf("%s# %s\n", i ? "\n" : "", s->help);
        else if (s->type == LANGUAGE)
            print_languages(&c->languages);
        else if (s->type == BOOL)
            printf("%s = %s\n", s->name, *(const bool *)at ? "true" : "false");
        else if (s->type == INT || s->type == BYTES || s->type == TIME || s->type == CPU)
            print_number(s, *(const int64_t *)at);
        else if (s->type == SECRET_URL)
            print_url(s->name, *(char *const *)at);
        else
            printf("%s = %s\n", s->name, *(char *const *)at);
    }
}

/* Whether `image` is one of the comma-separated entries. */
static bool is_listed(const char *list, const char *image)
{
    while (*list) {
        size_t len = strcspn(list, ",");
        const char *next = list + len + (list[len] == ',');

        while (len > 0 && *list == ' ') {
            list++;
            len--;
        }
        while (len > 0 && list[len - 1] == ' ')
            len--;
        if (len > 0 && list[len - 1] == '*' ? strncmp(list, image, len - 1) == 0
                                            : strlen(image) == len && memcmp(list, image, len) == 0)
            return true;
        list = next;
    }
    return false;
}

bool config_allows_image(const struct config *c, const char *image)
{
    for (size_t i = 0; i < c->languages.count; i++)
        if (strcmp(c->languages.list[i].image, image) == 0)
            return true;
    return is_listed(c->images, image);
}
