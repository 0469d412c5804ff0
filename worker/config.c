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
#include "worker/config_table.h"
#include "worker/probe.h"
#include "worker/runner_programs.h"

enum { FILE_MAX = 256 * 1024, NAME_LEN = 64 };

static const struct setting *find(const char *name, size_t len)
{
    for (const struct setting *s = config_table; s->help; s++)
        if (s->name && strlen(s->name) == len && memcmp(s->name, name, len) == 0)
            return s;
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
    for (const struct setting *s = config_table; s->help; s++)
        if (s->name && set_value(c, s, s->preset, &f) < 0)
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

    for (const struct setting *s = config_table; s->help; s++) {
        const char *value;

        if (!s->name)
            continue;
        environment_name(s, name);
        value = look_up(environment, name);
        if (value && set_value(c, s, value, f) < 0)
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
    for (const struct setting *s = config_table; s->help; s++)
        if (s->name &&
            (s->type == TEXT || s->type == SECRET_URL || s->type == NAME || s->type == LEVEL || s->type == FORMAT)) {
            free(*(char **)place(c, s));
            *(char **)place(c, s) = NULL;
        }
    languages_release(&c->languages);
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
