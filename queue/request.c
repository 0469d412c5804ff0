#include "queue/request.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/field.h"
#include "base/mem.h"
#include "base/skim.h"
#include "base/text.h"
#include "queue/keys.h"
#include "queue/request_inputs.h"
#include "queue/request_words.h"
#include "queue/result.h"

enum {
    DEPTH_MAX = 32,
    IMAGE_MAX = 512,
    CPU_MIN_MILLI = 10,
    MEMORY_MIN = 16 * 1024 * 1024,
    DISK_MIN = 1024 * 1024,
};

/* Known to this version. What a later one adds is unknown here, and a request that asks for it must not run without
 * it. */
static const char *const known_fields[] = {
    "id",           "code",
    "language",     "image",
    "argv",         "args",
    "env",          "timeout_s",
    "cpu",          "memory",
    "disk",         "network",
    "output_bytes", "not_before",
    "deadline",     "submitted_at",
    "retry",        "result_ttl_s",
    "reply_to",     "trace",
    "meta",         "stdin",
    "files",        "outputs",
    "cases",        "stop_on_first_failure",
    NULL,
};

void request_free(struct request *r)
{
    if (!r)
        return;
    free(r->id);
    free(r->code);
    free(r->language);
    free(r->image);
    request_words_free(r->argv);
    request_words_free(r->args);
    for (size_t i = 0; r->env && r->env[i].name; i++) {
        free(r->env[i].name);
        free(r->env[i].value);
    }
    free(r->env);
    request_inputs_free(r);
    request_words_free(r->retry_on);
    free(r->reply_to);
    free(r->trace);
    json_object_put(r->meta);
    free(r);
}

/* ---- who it is, what it runs ---- */

static int read_id(struct json_object *o, char **ret, struct fault *f)
{
    const char *id = NULL;

    if (field_string(o, "id", FIELD_REQUIRED, REQUEST_ID_MAX, &id, f) < 0)
        return -1;
    if (!key_is_id(id))
        return fault_set(f, FAULT_INVALID, "field \"id\" must have 1 to %d characters of A-Z a-z 0-9 . _ : -",
                         REQUEST_ID_MAX);
    *ret = mem_string(id);
    return 0;
}

static int read_code(struct json_object *o, struct request *r, struct fault *f)
{
    const char *bytes = NULL;

    if (field_bytes(o, "code", FIELD_REQUIRED, SIZE_MAX, &bytes, &r->code_len, f) < 0)
        return -1;
    r->code = mem_bytes(bytes, r->code_len);
    return 0;
}

static int read_name(struct json_object *o, const char *name, const char *extra, size_t max, const char *absent,
                     char **ret, struct fault *f)
{
    const char *s = absent;

    if (field_string(o, name, FIELD_OPTIONAL, max, &s, f) < 0)
        return -1;
    if (s && !text_is_name(s, max, extra))
        return fault_set(f, FAULT_INVALID, "field \"%s\" must have 1 to %zu characters of A-Z a-z 0-9 %s", name, max,
                         extra);
    *ret = mem_string(s);
    return 0;
}

/* ---- limits ---- */

typedef int quantity_fn(const char *s, int64_t *ret, struct fault *f);

/* A quantity as Kubernetes writes it ("500m", "512Mi"), or a number: of CPUs, of bytes. */
static int read_quantity(struct json_object *o, const char *name, quantity_fn *fn, int64_t min, int64_t max,
                         int64_t absent, int64_t *ret, struct fault *f)
{
    struct json_object *v = NULL;
    const char *s = NULL;
    int64_t n;

    *ret = absent;
    json_object_object_get_ex(o, name, &v);
    if (json_object_is_type(v, json_type_int) || json_object_is_type(v, json_type_double))
        s = json_object_to_json_string(v);
    else if (field_string(o, name, FIELD_OPTIONAL, 40, &s, f) < 0)
        return -1;
    if (!s)
        return 0;
    if (fn(s, &n, f) < 0)
        return fault_wrap(f, "field \"%s\"", name);
    if (n < min)
        return fault_set(f, FAULT_INVALID, "field \"%s\" is %.40s, which is too little to run in", name, s);
    if (max > 0 && n > max)
        return fault_set(f, FAULT_REFUSED, "field \"%s\" is %.40s, which is more than this service allows (%lld%s)",
                         name, s, (long long)max, fn == text_to_milli_cpu ? "m" : " bytes");
    *ret = n;
    return 0;
}

static int read_whole(struct json_object *o, const char *name, int64_t min, int64_t max, int64_t absent, int64_t *ret,
                      struct fault *f)
{
    *ret = absent;
    if (field_int(o, name, FIELD_OPTIONAL, min, INT64_MAX - 1, ret, f) < 0)
        return -1;
    if (max > 0 && *ret > max)
        return fault_set(f, FAULT_REFUSED, "field \"%s\" is %lld, this service allows at most %lld", name,
                         (long long)*ret, (long long)max);
    return 0;
}

static int read_limits(struct json_object *o, const struct request_limits *l, struct request *r, struct fault *f)
{
    if (request_timeout(o, l, l->timeout_ms, &r->timeout_ms, f) < 0)
        return -1;
    if (read_quantity(o, "cpu", text_to_milli_cpu, CPU_MIN_MILLI, l->cpu_max_milli, l->cpu_milli, &r->cpu_milli, f) < 0)
        return -1;
    if (read_quantity(o, "memory", text_to_bytes, MEMORY_MIN, l->memory_max_bytes, l->memory_bytes, &r->memory_bytes,
                      f) < 0)
        return -1;
    if (read_quantity(o, "disk", text_to_bytes, DISK_MIN, l->disk_max_bytes, l->disk_bytes, &r->disk_bytes, f) < 0)
        return -1;
    if (read_whole(o, "output_bytes", 0, l->output_max_bytes, l->output_bytes, &r->output_bytes, f) < 0)
        return -1;
    return read_whole(o, "result_ttl_s", 1, l->result_ttl_max_s, l->result_ttl_s, &r->result_ttl_s, f);
}

static int read_network(struct json_object *o, struct fault *f)
{
    bool network = false;

    if (field_bool(o, "network", FIELD_OPTIONAL, &network, f) < 0)
        return -1;
    if (network)
        return fault_set(f, FAULT_REFUSED, "field \"network\": this service runs code without network only");
    return 0;
}

/* ---- when, and how often ---- */

static int read_times(struct json_object *o, struct request *r, struct fault *f)
{
    if (field_milli(o, "submitted_at", FIELD_OPTIONAL, 0, REQUEST_MILLI_MAX, &r->submitted_ms, f) < 0 ||
        field_milli(o, "not_before", FIELD_OPTIONAL, 0, REQUEST_MILLI_MAX, &r->not_before_ms, f) < 0 ||
        field_milli(o, "deadline", FIELD_OPTIONAL, 0, REQUEST_MILLI_MAX, &r->deadline_ms, f) < 0)
        return -1;
    return 0;
}

/* A retry can be narrowed to what a run may end in, short of success: the code's statuses and the reasons of an
 * infra_error. */
static bool is_retry_name(const char *s)
{
    for (int i = STATUS_NONZERO_EXIT; status_is_code((enum status)i); i++)
        if (strcmp(s, status_name((enum status)i)) == 0)
            return true;
    for (int i = REASON_API; i <= REASON_INTERNAL; i++)
        if (strcmp(s, reason_name((enum reason)i)) == 0)
            return true;
    return strcmp(s, status_name(STATUS_INFRA_ERROR)) == 0;
}

static int read_retry(struct json_object *o, const struct request_limits *l, struct request *r, struct fault *f)
{
    static const char *const known[] = {"infra", "code", "on", NULL};
    struct json_object *retry = NULL;
    int64_t infra, code;
    size_t words = 0;

    r->retry_infra = l->retry_infra;
    r->retry_code = l->retry_code;
    if (field_object(o, "retry", FIELD_OPTIONAL, &retry, f) < 0)
        return -1;
    if (!retry)
        return 0;
    if (field_only(retry, known, f) < 0 || read_whole(retry, "infra", 0, l->retry_max, l->retry_infra, &infra, f) < 0 ||
        read_whole(retry, "code", 0, l->retry_max, l->retry_code, &code, f) < 0 ||
        request_words(retry, "on", &words, &r->retry_on, f) < 0)
        return fault_wrap(f, "field \"retry\"");
    if (infra > UINT16_MAX || code > UINT16_MAX)
        return fault_set(f, FAULT_REFUSED, "field \"retry\" asks for more than %d attempts", UINT16_MAX);
    for (size_t i = 0; r->retry_on && r->retry_on[i]; i++)
        if (!is_retry_name(r->retry_on[i]))
            return fault_set(f, FAULT_INVALID, "field \"retry\": \"on\" names \"%.40s\", which cannot be tried again",
                             r->retry_on[i]);
    r->retry_infra = (unsigned)infra;
    r->retry_code = (unsigned)code;
    return 0;
}

/* ---- what goes back ---- */

/* version 00 of https://www.w3.org/TR/trace-context/: 00-32 hex-16 hex-2 hex, lower case, ids not all zero */
static bool is_trace(const char *s)
{
    static const char form[] = "00-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx-xxxxxxxxxxxxxxxx-xx";

    if (strlen(s) != sizeof(form) - 1)
        return false;
    for (size_t i = 0; form[i]; i++)
        if (form[i] == 'x' ? !strchr("0123456789abcdef", s[i]) : s[i] != form[i])
            return false;
    return strspn(s + 3, "0") < 32 && strspn(s + 36, "0") < 16;
}

static int read_trace(struct json_object *o, struct request *r, struct fault *f)
{
    const char *s = NULL;

    if (field_string(o, "trace", FIELD_OPTIONAL, 64, &s, f) < 0)
        return -1;
    if (s && !is_trace(s))
        return fault_set(f, FAULT_INVALID, "field \"trace\" must be a W3C traceparent of version 00");
    r->trace = mem_string(s);
    return 0;
}

/* The characters of the member `meta`, or NULL where only json-c can tell which one counts. */
static char *meta_as_written(const char *payload, size_t len)
{
    struct skim s;
    struct skim_member m, found = {0};

    if (!skim_begin(&s, payload, len))
        return NULL;
    while (skim_next(&s, &m)) {
        if (memchr(m.name, '\\', m.name_len))
            return NULL; /* may be the same name in disguise */
        if (skim_member_is(&m, "meta"))
            found = m; /* of equal names the last counts, as in json-c */
    }
    return found.value ? skim_member_compact(&found) : NULL;
}

/* A value that is written as its text: json-c would bend whole numbers beyond 64 bits, and holds up to 300 bytes for
 * each that came, for as long as the request lives. */
static void read_meta(struct json_object *o, const char *payload, size_t len, struct request *r)
{
    struct json_object *meta = NULL;
    char *text;

    json_object_object_get_ex(o, "meta", &meta);
    if (!meta)
        return;
    text = meta_as_written(payload, len);
    if (!text)
        text = mem_string(
            json_object_to_json_string_ext(meta, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    r->meta = json_object_new_boolean(true);
    json_object_set_serializer(r->meta, json_object_userdata_to_json_string, text, json_object_free_userdata);
}

static int read_all(struct json_object *o, const char *payload, size_t len, const struct request_limits *l,
                    struct request *r, struct fault *f)
{
    size_t spent = 0;

    if (field_only(o, known_fields, f) < 0 || read_code(o, r, f) < 0)
        return -1;
    if (read_name(o, "language", "._+#-", REQUEST_NAME_MAX, "python", &r->language, f) < 0 ||
        read_name(o, "image", "._:/@-", IMAGE_MAX, NULL, &r->image, f) < 0 ||
        read_name(o, "reply_to", "._-", REQUEST_NAME_MAX, NULL, &r->reply_to, f) < 0)
        return -1;
    if (request_command(o, r, &spent, f) < 0 || read_limits(o, l, r, f) < 0)
        return -1;
    if (request_inputs(o, payload, len, l, &spent, r, f) < 0 || read_network(o, f) < 0 || read_times(o, r, f) < 0)
        return -1;
    return read_retry(o, l, r, f) < 0 ? -1 : read_trace(o, r, f);
}

/* What would cost json-c far more memory than it has bytes; fields that say something have some 4,500. */
static int check_nodes(const char *payload, size_t len, struct fault *f)
{
    bool in_string = false;
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        if (payload[i] == '"')
            in_string = !in_string;
        else if (in_string && payload[i] == '\\')
            i++;
        else if (!in_string && (payload[i] == '{' || payload[i] == '['))
            n++;
    }
    if (n > REQUEST_NODES_MAX)
        return fault_set(f, FAULT_INVALID, "the request has %zu objects and arrays, at most %d are taken", n,
                         REQUEST_NODES_MAX);
    return 0;
}

int request_parse(const char *payload, size_t len, const struct request_limits *limits, struct request **ret_request,
                  char **ret_id, struct fault *f)
{
    _cleanup_(field_putp)
    struct json_object *o = NULL;
    _cleanup_(request_freep)
    struct request *r = NULL;
    _cleanup_free_ char *reply_to = NULL;

    *ret_id = NULL;
    if (len > limits->payload_max)
        return fault_set(f, FAULT_REFUSED, "the request has %zu bytes, at most %zu are allowed", len,
                         limits->payload_max);
    if (check_nodes(payload, len, f) < 0) {
        request_peek(payload, len, ret_id, &reply_to);
        return -1;
    }
    if (field_parse(payload, len, DEPTH_MAX, &o, f) < 0)
        return -1;
    if (!json_object_is_type(o, json_type_object))
        return fault_set(f, FAULT_INVALID, "the request must be a JSON object");
    r = mem_new(struct request);
    if (read_id(o, &r->id, f) < 0)
        return -1;
    *ret_id = mem_string(r->id);
    if (read_all(o, payload, len, limits, r, f) < 0)
        return -1;
    read_meta(o, payload, len, r);
    digest_sha256_hex(payload, len, r->digest);
    *ret_request = TAKE(r);
    return 0;
}

void request_peek(const char *head, size_t len, char **ret_id, char **ret_reply_to)
{
    struct skim s;
    struct skim_member m;

    *ret_id = *ret_reply_to = NULL;
    if (!skim_begin(&s, head, len))
        return;
    while (skim_next(&s, &m)) {
        char **ret = skim_member_is(&m, "id") ? ret_id : skim_member_is(&m, "reply_to") ? ret_reply_to : NULL;
        char *value = ret ? skim_member_text(&m) : NULL;

        if (value && (ret == ret_id ? key_is_id(value) : key_is_name(value))) {
            free(*ret);
            *ret = TAKE(value);
        }
        free(value);
    }
}
