#include "k8s/kube.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/field.h"
#include "base/mem.h"
#include "k8s/auth.h"
#include "k8s/http.h"
#include "k8s/kube_inside.h"
#include "k8s/kubeconfig.h"
#include "k8s/prune.h"
#include "k8s/put.h"
#include "k8s/sender.h"
#include "k8s/url.h"

enum {
    REPLY_MAX = 16 << 20,
    JSON_DEPTH = 64, /* managedFields nest deeply */
    PAGE = 500,
    LIST_TIMES = 8, /* a list of many pages: so many times reply_max */
    PATH_MAX_LEN = 65536,
    WATCH_IDLE = 2,
};

struct kube {
    struct api *api;
    struct sender *sender;
    char *namespace_;
    size_t reply_max;
};

static const struct {
    const char *group, *plural;
} kinds[] = {
    [KUBE_CONFIGMAP] = {"/api/v1", "configmaps"},
    [KUBE_JOB] = {"/apis/batch/v1", "jobs"},
    [KUBE_POD] = {"/api/v1", "pods"},
    [KUBE_EVENT] = {"/api/v1", "events"},
};

/* Addresses. What is over the ceiling is cut, and the server refuses it. */

static void add_collection(const struct kube *k, enum kube_kind kind, struct buf *path)
{
    struct fault ignored = FAULT_INIT;

    buf_addf(path, &ignored, "%s/namespaces/", kinds[kind].group);
    url_add_escaped(path, k->namespace_, &ignored);
    buf_addf(path, &ignored, "/%s", kinds[kind].plural);
}

static void add_object(const struct kube *k, enum kube_kind kind, const char *name, struct buf *path)
{
    struct fault ignored = FAULT_INIT;

    add_collection(k, kind, path);
    buf_add_string(path, "/", &ignored);
    url_add_escaped(path, name, &ignored);
}

static void add_selectors(struct buf *path, const char *selector, const char *fields)
{
    struct fault ignored = FAULT_INIT;

    if (selector)
        url_add_query(path, "labelSelector", selector, &ignored);
    if (fields)
        url_add_query(path, "fieldSelector", fields, &ignored);
}

char *kube_watch_path(const struct kube *k, enum kube_kind kind, const char *selector, const char *version,
                      int timeout_s)
{
    struct buf path = BUF_INIT(PATH_MAX_LEN);
    struct fault ignored = FAULT_INIT;

    add_collection(k, kind, &path);
    add_selectors(&path, selector, NULL);
    url_add_query(&path, "watch", "1", &ignored);
    url_add_query(&path, "allowWatchBookmarks", "true", &ignored);
    url_add_query(&path, "resourceVersion", version, &ignored);
    url_add_number(&path, "timeoutSeconds", timeout_s, &ignored);
    return buf_take(&path, NULL);
}

char *kube_attach_path(const struct kube *k, const char *pod, const char *container)
{
    struct buf path = BUF_INIT(PATH_MAX_LEN);
    struct fault ignored = FAULT_INIT;

    add_object(k, KUBE_POD, pod, &path);
    buf_add_string(&path, "/attach", &ignored);
    url_add_query(&path, "container", container, &ignored);
    url_add_query(&path, "stdout", "true", &ignored);
    return buf_take(&path, NULL);
}

struct api *kube_api(const struct kube *k)
{
    return k->api;
}

struct loop *kube_loop(const struct kube *k)
{
    return api_loop(k->api);
}

/* Answers. */

/* The answer to a write: most of it is what was sent. */
static const char *const of_a_write[] = {"metadata.name", "metadata.uid", NULL};

static int read_object(struct kube_call *c, const struct http_reply *in, struct kube_reply *ret, struct fault *f)
{
    _cleanup_(buf_release)
    struct buf pruned = BUF_INIT(in->len + 1);
    bool less = c->keep && prune(in->bytes, in->len, c->keep, &pruned) == 0;
    const char *bytes = less ? buf_str(&pruned) : in->bytes;
    size_t len = less ? pruned.len : in->len;

    if (field_parse(bytes, len, JSON_DEPTH, &ret->object, f) < 0) {
        f->kind = FAULT_TRANSIENT; /* something in between answered, or the answer was cut */
        return fault_wrap(f, "HTTP %d", in->status);
    }
    return 0;
}

static int read_any(struct kube_call *c, const struct http_reply *in, struct kube_reply *ret, struct fault *f)
{
    struct fault ignored = FAULT_INIT;

    (void)c;
    (void)f;
    if (field_parse(in->bytes, in->len, JSON_DEPTH, &ret->object, &ignored) < 0)
        ret->object = NULL;
    ret->bytes = in->bytes;
    ret->len = in->len;
    return 0;
}

/* The kubelet sends its headers before it looks for the log: what it then has to say comes as the log, with a 200.
 * Only a whole text of that form counts, not a program's output that begins like it. */
static bool is_apology(const char *bytes, size_t len)
{
    static const char *const forms[] = {"unable to retrieve container logs for ",
                                        "failed to try resolving symlinks in path \"/var/log/pods/"};
    const char *line_end = memchr(bytes, '\n', len);

    if (len > 1024 || (line_end && (size_t)(line_end - bytes) + 1 < len))
        return false;
    for (size_t i = 0; i < COUNT_OF(forms); i++)
        if (strncmp(bytes, forms[i], strlen(forms[i])) == 0)
            return i > 0 || (strstr(bytes, "://") && !strchr(bytes + strlen(forms[i]), ' '));
    return false;
}

static int read_log(struct kube_call *c, const struct http_reply *in, struct kube_reply *ret, struct fault *f)
{
    (void)c;
    if (is_apology(in->bytes, in->len))
        return fault_set(f, FAULT_TRANSIENT, "%.200s", in->bytes);
    ret->bytes = in->bytes;
    ret->len = in->len;
    ret->truncated = in->truncated;
    return 0;
}

/* Adds a page to those that have come. */
static int join(struct kube_call *c, struct json_object *page, size_t bytes, struct fault *f)
{
    struct json_object *all, *more = field_peek(page, "items");

    c->joined_bytes += bytes;
    if (c->joined_bytes > LIST_TIMES * c->max)
        return fault_set(f, FAULT_TOO_BIG, "a list of more than %zu bytes", LIST_TIMES * c->max);
    if (!c->joined) {
        c->joined = json_object_get(page);
        return 0;
    }
    all = field_peek(c->joined, "items");
    for (size_t i = 0; more && all && i < json_object_array_length(more); i++)
        json_object_array_add(all, json_object_get(json_object_array_get_idx(more, i)));
    return 0;
}

static void start_over(struct kube_call *c)
{
    c->begun = false;
    json_object_put(c->joined);
    c->joined = NULL;
    c->joined_bytes = 0;
    free(c->path);
    c->path = mem_string(c->first_page);
}

static void go_to_page(struct kube_call *c, const char *next)
{
    struct fault ignored = FAULT_INIT;
    struct buf path = BUF_INIT(PATH_MAX_LEN);

    buf_add_string(&path, c->first_page, &ignored);
    url_add_query(&path, "continue", next, &ignored);
    free(c->path);
    c->path = buf_take(&path, NULL);
}

static int parse_page(struct kube_call *c, const struct http_reply *in, struct json_object **ret, struct fault *f)
{
    struct kube_reply one = {0};

    if (read_object(c, in, &one, f) < 0)
        return -1;
    *ret = one.object;
    if (!json_object_is_type(field_peek(one.object, "items"), json_type_array))
        return fault_set(f, FAULT_TRANSIENT, "HTTP %d: not a list", in->status);
    return 0;
}

static int read_page(struct kube_call *c, const struct http_reply *in, struct kube_reply *ret, struct fault *f)
{
    _cleanup_(field_putp)
    struct json_object *page = NULL;
    const char *next;

    if (parse_page(c, in, &page, f) < 0)
        return -1;
    if (c->page)
        c->page(c->arg, field_peek(page, "items"), !c->begun);
    else if (join(c, page, in->len, f) < 0)
        return -1;
    c->begun = true;
    next = field_peek_string(field_peek(page, "metadata"), "continue");
    if (next && *next) {
        go_to_page(c, next);
        return 1;
    }
    if (c->joined && c->joined != page)
        json_object_object_del(field_peek(c->joined, "metadata"), "continue");
    ret->object = c->page ? TAKE(page) : TAKE(c->joined);
    return 0;
}

/* Verbs. */

static struct kube_call *start(struct kube *k, struct kube_call *c, struct buf *path, kube_fn *fn, void *arg)
{
    c->path = buf_take(path, NULL);
    c->fn = fn;
    c->arg = arg;
    if (!c->cut)
        c->max = k->reply_max;
    if (!c->read)
        c->read = read_object;
    return sender_start(k->sender, c);
}

struct kube_call *kube_create(struct kube *k, enum kube_kind kind, const char *body, size_t len, kube_fn *fn, void *arg)
{
    struct kube_call c = {.lane = API_SHORT,
                          .method = "POST",
                          .write = true,
                          .begins = kind == KUBE_JOB,
                          .body_len = len,
                          .keep = of_a_write};
    struct buf path = BUF_INIT(PATH_MAX_LEN);

    add_collection(k, kind, &path);
    c.body = mem_bytes(body, len);
    return start(k, &c, &path, fn, arg);
}

struct kube_call *kube_get(struct kube *k, enum kube_kind kind, const char *name, kube_fn *fn, void *arg)
{
    struct kube_call c = {.lane = API_SHORT, .method = "GET"};
    struct buf path = BUF_INIT(PATH_MAX_LEN);

    add_object(k, kind, name, &path);
    return start(k, &c, &path, fn, arg);
}

static struct kube_call *start_list(struct kube *k, struct kube_call *c, enum kube_kind kind, const char *selector,
                                    const char *fields, kube_fn *fn, void *arg)
{
    struct buf path = BUF_INIT(PATH_MAX_LEN);
    struct fault ignored = FAULT_INIT;

    c->lane = API_SHORT;
    c->method = "GET";
    c->read = read_page;
    c->on_gone = start_over;
    add_collection(k, kind, &path);
    add_selectors(&path, selector, fields);
    url_add_number(&path, "limit", PAGE, &ignored);
    c->first_page = mem_string(buf_str(&path));
    return start(k, c, &path, fn, arg);
}

struct kube_call *kube_list(struct kube *k, enum kube_kind kind, const char *selector, const char *fields, kube_fn *fn,
                            void *arg)
{
    struct kube_call c = {0};

    return start_list(k, &c, kind, selector, fields, fn, arg);
}

struct kube_call *kube_walk(struct kube *k, enum kube_kind kind, const char *selector, const char *const keep[],
                            kube_page_fn *page, kube_fn *fn, void *arg)
{
    struct kube_call c = {.page = page, .keep = keep};

    return start_list(k, &c, kind, selector, NULL, fn, arg);
}

struct kube_call *kube_delete(struct kube *k, enum kube_kind kind, const char *name, const char *uid, kube_fn *fn,
                              void *arg)
{
    struct kube_call c = {.lane = API_SHORT, .method = "DELETE", .write = true, .keep = of_a_write};
    _cleanup_(field_putp)
    struct json_object *o = json_object_new_object();
    struct buf path = BUF_INIT(PATH_MAX_LEN);

    add_object(k, kind, name, &path);
    put_text(o, "kind", "DeleteOptions");
    put_text(o, "apiVersion", "v1");
    put_text(o, "propagationPolicy", "Background"); /* left out, a Job's pods would be orphaned */
    put_text(put_object(o, "preconditions"), "uid", uid);
    c.body = mem_string(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
    c.body_len = strlen(c.body);
    return start(k, &c, &path, fn, arg);
}

struct kube_call *kube_log(struct kube *k, const char *pod, const char *container, size_t limit, int tail_lines,
                           kube_fn *fn, void *arg)
{
    struct kube_call c = {.lane = API_LOG, .method = "GET", .read = read_log, .max = limit, .cut = true};
    struct buf path = BUF_INIT(PATH_MAX_LEN);
    struct fault ignored = FAULT_INIT;

    add_object(k, KUBE_POD, pod, &path);
    buf_add_string(&path, "/log", &ignored);
    if (container)
        url_add_query(&path, "container", container, &ignored);
    url_add_number(&path, "limitBytes", (long long)limit + 1, &ignored); /* one more tells that there was more */
    if (tail_lines > 0)
        url_add_number(&path, "tailLines", tail_lines, &ignored);
    return start(k, &c, &path, fn, arg);
}

struct kube_call *kube_get_path(struct kube *k, const char *path, kube_fn *fn, void *arg)
{
    struct kube_call c = {.lane = API_SHORT, .method = "GET", .read = read_any};
    struct buf b = BUF_INIT(PATH_MAX_LEN);
    struct fault ignored = FAULT_INIT;

    buf_add_string(&b, path, &ignored);
    return start(k, &c, &b, fn, arg);
}

void kube_cancel(struct kube_call **call)
{
    struct kube_call *c = TAKE(*call);

    if (c)
        sender_cancel(c);
}

void kube_resume(struct kube *k)
{
    sender_resume(k->sender);
}

const char *kube_namespace(const struct kube *k)
{
    return k->namespace_;
}

const char *kube_server(const struct kube *k)
{
    return api_server(k->api);
}

int64_t kube_requests(const struct kube *k)
{
    return api_requests(k->api);
}

int kube_new(struct loop *l, const struct kube_settings *s, struct kube **ret_kube, struct fault *f)
{
    _cleanup_(kube_freep)
    struct kube *k = mem_new(struct kube);
    unsigned connections = s->connections ? s->connections : 8, log_reads = s->log_reads ? s->log_reads : 16;
    const unsigned idle[API_LANES] = {[API_SHORT] = connections, [API_LOG] = log_reads, [API_WATCH] = WATCH_IDLE};
    struct sender_settings set = {.call_ms = s->call_ms ? s->call_ms : 10000,
                                  .budget_ms = s->budget_ms ? s->budget_ms : 30000,
                                  .writes_per_second = s->writes_per_second > 0 ? s->writes_per_second : 50,
                                  .at_once = {[API_SHORT] = connections, [API_LOG] = log_reads},
                                  .may_write = s->may_write,
                                  .may_write_arg = s->may_write_arg};

    k->namespace_ = mem_string(s->namespace_ && *s->namespace_ ? s->namespace_ : s->config->namespace_);
    k->reply_max = s->reply_max ? s->reply_max : REPLY_MAX;
    if (api_new(l, s->config, idle, &k->api, f) < 0)
        return -1;
    k->sender = sender_new(k->api, &set);
    *ret_kube = TAKE(k);
    return 0;
}

void kube_free(struct kube *k)
{
    if (!k)
        return;
    if (k->sender)
        sender_free(k->sender);
    if (k->api)
        api_free(k->api);
    free(k->namespace_);
    free(k);
}
