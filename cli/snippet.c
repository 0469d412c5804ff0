#include "cli/snippet.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/field.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "cli/inputs.h"
#include "queue/keys.h"

enum { CODE_MAX = 1 << 20 }; /* as the whole request: a ConfigMap holds no more */

const struct request_limits *snippet_limits(void)
{
    static const struct request_limits limits = {
        .payload_max = CODE_MAX,
        .timeout_ms = 300000,
        .cpu_milli = 500,
        .memory_bytes = 512 << 20,
        .disk_bytes = 256 << 20,
        .output_bytes = 1 << 20,
        .result_ttl_s = 3600,
        .retry_infra = 2,
    };

    return &limits;
}

static int read_all(int fd, const char *path, struct buf *into, struct fault *f)
{
    char piece[65536];
    ssize_t n;

    while ((n = read(fd, piece, sizeof(piece))) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fault_errno(f, errno, "cannot read %.150s", path);
        if (buf_add(into, piece, (size_t)n, f) < 0)
            return fault_set(f, FAULT_TOO_BIG, "%.150s is larger than %zu bytes", path, into->ceiling);
    }
    return 0;
}

int snippet_read_file(const char *path, struct buf *into, struct fault *f)
{
    int fd, r;

    if (strcmp(path, "-") == 0)
        return read_all(STDIN_FILENO, "standard input", into, f);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fault_errno(f, errno, "cannot open %.150s", path);
    r = read_all(fd, path, into, f);
    close(fd);
    return r;
}

const char *snippet_language(const char *path)
{
    static const char *const by_extension[][2] = {
        {".py", "python"}, {".sh", "bash"}, {".bash", "bash"}, {".js", "node"}, {".mjs", "node"},
        {".go", "go"},     {".c", "c"},     {".cc", "c++"},    {".cpp", "c++"}, {".cxx", "c++"},
        {".java", "java"}, {".rs", "rust"}, {".rb", "ruby"},   {".pl", "perl"}, {".lua", "lua"},
    };
    const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash : path, '.');

    if (strcmp(path, "-") == 0)
        return "python";
    for (size_t i = 0; dot && i < COUNT_OF(by_extension); i++)
        if (strcmp(dot, by_extension[i][0]) == 0)
            return by_extension[i][1];
    return NULL;
}

static void add(struct json_object *to, const char *name, const char *value)
{
    if (value)
        json_object_object_add(to, name, json_object_new_string(value));
}

/* Milliseconds as a number of seconds. */
static void add_seconds(struct json_object *to, const char *name, int64_t ms)
{
    _cleanup_free_ char *text = mem_format("%lld.%03lld", (long long)ms / 1000, (long long)ms % 1000);

    if (ms % 1000 == 0)
        json_object_object_add(to, name, json_object_new_int64(ms / 1000));
    else
        json_object_object_add(to, name, json_object_new_double_s((double)ms / 1000, text));
}

static int add_env(struct json_object *to, const struct text_list *env, struct fault *f)
{
    struct json_object *o = json_object_new_object();

    json_object_object_add(to, "env", o);
    for (size_t i = 0; i < env->n; i++) {
        const char *equals = strchr(env->items[i], '=');
        _cleanup_free_ char *name = NULL;

        if (!equals || equals == env->items[i])
            return fault_set(f, FAULT_INVALID, "--env: \"%.80s\" is not K=V", env->items[i]);
        name = mem_bytes(env->items[i], (size_t)(equals - env->items[i]));
        add(o, name, equals + 1);
    }
    return 0;
}

static void add_args(struct json_object *to, const struct arguments *a)
{
    struct json_object *list = json_object_new_array();

    for (size_t i = 0; i < a->n_rest; i++)
        json_object_array_add(list, json_object_new_string(a->rest[i]));
    json_object_object_add(to, "args", list);
}

static int random_id(char **ret_id, struct fault *f)
{
    uint64_t bits[2];

    if (getrandom(bits, sizeof(bits), 0) != sizeof(bits))
        return fault_errno(f, errno, "no random bytes for an id");
    *ret_id = mem_format("cli-%016llx%08llx", (unsigned long long)bits[0], (unsigned long long)bits[1] & 0xffffffff);
    return 0;
}

static int check_utf8(const struct arguments *a, const struct snippet_options *o, struct fault *f)
{
    for (size_t i = 0; i < a->n_rest; i++)
        if (*a->rest[i] && !utf8_is_valid(a->rest[i], strlen(a->rest[i])))
            return fault_set(f, FAULT_INVALID, "argument %zu behind -- is not UTF-8", i + 1);
    for (size_t i = 0; i < o->env.n; i++)
        if (*o->env.items[i] && !utf8_is_valid(o->env.items[i], strlen(o->env.items[i])))
            return fault_set(f, FAULT_INVALID, "--env number %zu is not UTF-8", i + 1);
    return 0;
}

static int build(const struct snippet_options *o, const char *path, const char *language, const struct buf *code,
                 const char *id, const struct arguments *a, int64_t now_ms, struct json_object *ret, struct fault *f)
{
    add(ret, "id", id);
    add(ret, "language", language);
    json_object_object_add(ret, "code", json_object_new_string_len(buf_str(code), (int)code->len));
    add(ret, "image", o->image);
    add(ret, "cpu", o->cpu);
    add(ret, "memory", o->memory);
    if (o->timeout_ms)
        add_seconds(ret, "timeout_s", o->timeout_ms);
    if (a->n_rest)
        add_args(ret, a);
    if (o->env.n && add_env(ret, &o->env, f) < 0)
        return -1;
    if (inputs_add(ret, o, path, f) < 0)
        return -1;
    add_seconds(ret, "submitted_at", now_ms);
    return 0;
}

int snippet_make(const struct snippet_options *o, const char *path, const struct arguments *a, int64_t now_ms,
                 char **ret_id, char **ret_payload, struct fault *f)
{
    _cleanup_(buf_release)
    struct buf code = BUF_INIT(CODE_MAX);
    _cleanup_(field_putp)
    struct json_object *request = json_object_new_object();
    _cleanup_(request_freep)
    struct request *parsed = NULL;
    _cleanup_free_ char *id = NULL, *parsed_id = NULL;
    const char *language = o->language ? o->language : snippet_language(path), *text;
    size_t len;

    if (!language)
        return fault_set(f, FAULT_INVALID, "what language is %.120s? Say so with --language", path);
    if (o->id && !key_is_id(o->id))
        return fault_set(f, FAULT_INVALID, "--id: \"%.130s\" is no id: 1 to 128 of A-Z a-z 0-9 . _ : -", o->id);
    if (!o->id && random_id(&id, f) < 0)
        return -1;
    if (o->id)
        id = mem_string(o->id);
    if (snippet_read_file(path, &code, f) < 0 || check_utf8(a, o, f) < 0)
        return -1;
    if (build(o, path, language, &code, id, a, now_ms, request, f) < 0)
        return -1;
    text = json_object_to_json_string_length(request, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);
    if (request_parse(text, len, snippet_limits(), &parsed, &parsed_id, f) < 0)
        return fault_wrap(f, "%.100s", path);
    *ret_id = TAKE(id);
    *ret_payload = mem_bytes(text, len);
    return 0;
}
