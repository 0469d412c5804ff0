/* The client whole, from a kubeconfig over TLS to a server in this process. */
#include "check.h"

#include <fcntl.h>
#include <json-c/json.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/field.h"
#include "base/mem.h"
#include "fake/script_server.h"
#include "fake/test_pki.h"
#include "k8s/attach.h"
#include "k8s/kube.h"
#include "k8s/kubeconfig.h"
#include "k8s/pods.h"

struct world {
    struct loop *loop;
    struct pki pki, next;
    SSL_CTX *tls, *next_tls;
    struct script_server *server;
    struct kubeconfig *config;
    struct kube *kube;
    char folder[64];
    /* What the server has seen and the client was told. */
    char tokens[200], told[200];
    int watches, calls;
    struct fault fault;
    char text[100];
};

static void write_file(const struct world *w, const char *name, const char *text)
{
    _cleanup_free_ char *path = mem_format("%s/%s", w->folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0700);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static void no_answer(void *arg, struct script_peer *p, const struct script_request *r)
{
    (void)arg;
    (void)p;
    (void)r;
}

static int set_up(void **state)
{
    static struct world w;
    struct fault f = FAULT_INIT;

    w = (struct world){.folder = "/tmp/test-client-XXXXXX"};
    assert_non_null(mkdtemp(w.folder));
    pki_make(&w.pki, "alice");
    pki_make(&w.next, "alice");
    w.tls = pki_server_context(&w.pki, 0);
    w.next_tls = pki_server_context(&w.next, 0);
    assert_int_equal(loop_new(&w.loop, &f), 0);
    w.server = script_server_new(w.loop, w.tls, no_answer, &w);
    write_file(&w, "ca", w.pki.ca);
    *state = &w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    _cleanup_free_ char *command = mem_format("rm -rf %s", w->folder);

    if (w->kube)
        kube_free(w->kube);
    if (w->config)
        kubeconfig_free(w->config);
    script_server_free(w->server);
    loop_free(w->loop);
    SSL_CTX_free(w->tls);
    SSL_CTX_free(w->next_tls);
    pki_release(&w->pki);
    pki_release(&w->next);
    return system(command);
}

/* `user`: the body of the kubeconfig's user. */
static void connect_as(struct world *w, const char *user)
{
    _cleanup_free_ char *file = mem_format("%s/config", w->folder), *text = NULL;
    const char *files[1], *texts[1];
    struct kube_settings s = {.call_ms = 60000, .budget_ms = 120000}; /* a slow machine is not to be seen as a fault */
    struct fault f = FAULT_INIT;

    text = mem_format("current-context: c\n"
                      "contexts: [{name: c, context: {cluster: k, user: u, namespace: ns}}]\n"
                      "clusters: [{name: k, cluster: {server: 'https://127.0.0.1:%d', certificate-authority: ca,"
                      " tls-server-name: kubernetes}}]\n"
                      "users: [{name: u, user: {%s}}]\n",
                      script_server_port(w->server), user);
    files[0] = file;
    texts[0] = text;
    if (kubeconfig_parse(files, texts, 1, NULL, &w->config, &f) < 0)
        fail_msg("%s", f.text);
    s.config = w->config;
    if (kube_new(w->loop, &s, &w->kube, &f) < 0)
        fail_msg("%s", f.text);
}

static void on_reply(void *arg, const struct kube_reply *reply, const struct fault *f)
{
    struct world *w = arg;

    w->calls++;
    if (f)
        w->fault = *f;
    if (reply && reply->object)
        snprintf(w->text, sizeof(w->text), "%s", json_object_to_json_string_ext(reply->object, JSON_C_TO_STRING_PLAIN));
    loop_stop(w->loop);
}

static void expect_reply(struct world *w, const char *text)
{
    loop_run(w->loop);
    if (w->fault.kind != FAULT_NONE)
        fail_msg("%s", w->fault.text);
    assert_string_equal(w->text, text);
}

/* Takes only the token "new"; the old one is replaced in its file when it has been refused. */
static void script_new_token(void *arg, struct script_peer *p, const struct script_request *r)
{
    struct world *w = arg;
    const char *token = script_header(r, "Authorization");
    bool good = token && strcmp(token, "Bearer new") == 0;
    size_t used = strlen(w->tokens);

    snprintf(w->tokens + used, sizeof(w->tokens) - used, "%s;", token ? token : "none");
    write_file(w, "token", "new\n");
    script_answer(p, good ? 201 : 401, "", good ? "{\"metadata\":{\"uid\":\"u\"}}" : "{\"reason\":\"Unauthorized\"}");
}

static void test_token_is_replaced(void **state)
{
    struct world *w = *state;

    write_file(w, "token", "old\n");
    connect_as(w, "tokenFile: token");
    script_server_handle(w->server, script_new_token, w);
    kube_create(w->kube, KUBE_JOB, "{}", 2, on_reply, w);
    expect_reply(w, "{\"metadata\":{\"uid\":\"u\"}}");
    assert_string_equal(w->tokens, "Bearer old;Bearer new;");
    assert_int_equal(kube_requests(w->kube), 2);
}

static void test_plugin(void **state)
{
    struct world *w = *state;

    write_file(w, "plugin",
               "#!/bin/sh\necho '{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":"
               "\"ExecCredential\",\"status\":{\"token\":\"new\"}}'\n");
    connect_as(w, "exec: {command: ./plugin, apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never}");
    script_server_handle(w->server, script_new_token, w);
    kube_create(w->kube, KUBE_JOB, "{}", 2, on_reply, w);
    expect_reply(w, "{\"metadata\":{\"uid\":\"u\"}}");
    assert_string_equal(w->tokens, "Bearer new;");
}

static void script_good(void *arg, struct script_peer *p, const struct script_request *r)
{
    (void)arg;
    (void)r;
    script_answer(p, 200, "", "{}");
}

/* The cluster's CA is made anew, and its file with it: the first try fails, the next one has read it again. */
static void test_ca_is_replaced(void **state)
{
    struct world *w = *state;
    struct script_server *second = script_server_new(w->loop, w->next_tls, script_good, w), *first = w->server;

    w->server = second; /* its certificate is of the new CA */
    connect_as(w, "token: t");
    write_file(w, "ca", w->next.ca);
    kube_get(w->kube, KUBE_POD, "p", on_reply, w);
    expect_reply(w, "{}");
    assert_true(kube_requests(w->kube) == 2);
    script_server_free(first);
}

/* A watch whose pieces have nothing to do with its events, that is cut, resumed, and cut again. */
static void script_pods(void *arg, struct script_peer *p, const struct script_request *r)
{
    static const char first[] =
        "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"j-1\",\"uid\":\"u\",\"resourceVersion\":\"8\","
        "\"labels\":{\"controller-uid\":\"j\"}},\"status\":{\"message\":\"h\xc3\xa4\"}}}\n";
    static const char second[] =
        "{\"type\":\"MODIFIED\",\"object\":{\"metadata\":{\"name\":\"j-1\",\"uid\":\"u\",\"resourceVersion\":\"9\","
        "\"labels\":{\"controller-uid\":\"j\"}},\"status\":{\"containerStatuses\":[{\"name\":\"code\",\"state\":{"
        "\"terminated\":{\"exitCode\":7,\"startedAt\":\"2026-11-21T09:15:04Z\"}}}]}}}\n";
    size_t cut = (size_t)(strstr(first, "\xc3") - first) + 1;
    struct world *w = arg;

    if (!strstr(r->path, "watch=1")) {
        script_answer(p, 200, "", "{\"metadata\":{\"resourceVersion\":\"5\"},\"items\":[]}");
        return;
    }
    w->watches++;
    script_chunked(p);
    if (w->watches == 1) {
        assert_non_null(strstr(r->path, "resourceVersion=5&"));
        script_chunk(p, first, cut);
        script_chunk(p, first + cut, strlen(first) - cut);
        script_chunk(p, second, 50); /* half a line, and the connection is gone */
        script_close(p);
    } else if (w->watches == 2) {
        assert_non_null(strstr(r->path, "resourceVersion=8&"));
        script_chunk(p, second, strlen(second));
        script_last_chunk(p);
    } else {
        assert_non_null(strstr(r->path, "resourceVersion=9&"));
        loop_stop(w->loop);
    }
}

static void on_pod(void *arg, const struct pod_state *s)
{
    struct world *w = arg;
    size_t used = strlen(w->told);

    snprintf(w->told + used, sizeof(w->told) - used, "%d %d;", s ? (int)s->stage : -1, s ? s->exit_code : 0);
}

static void test_watch(void **state)
{
    struct world *w = *state;
    struct pods_follower *follower;
    struct pods *pods;

    connect_as(w, "token: t");
    script_server_handle(w->server, script_pods, w);
    pods = pods_new(w->kube, "a=b", "code", NULL);
    follower = pods_follow(pods, "j", on_pod, w);
    loop_run(w->loop);
    assert_string_equal(w->told, "0 -1;2 7;");
    pods_unfollow(&follower);
    pods_free(pods);
}

/* --- attach ------------------------------------------------------------------------------------------------------ */

#define SWITCH                                                                          \
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
    "Sec-WebSocket-Accept: x\r\nSec-WebSocket-Protocol: v4.channel.k8s.io\r\n\r\n"
#define HELLO "\x82\x01\x01\x82\x04\x02no!\x82\x06\x01hello"

static void expect_attach(const struct script_request *r)
{
    const char *key = script_header(r, "Sec-WebSocket-Key");

    assert_string_equal(r->method, "GET");
    assert_string_equal(r->path, "/api/v1/namespaces/ns/pods/p-1/attach?container=code&stdout=true");
    assert_true(key && strlen(key) == 24);
    assert_string_equal(script_header(r, "Upgrade"), "websocket");
    assert_string_equal(script_header(r, "Sec-WebSocket-Version"), "13");
    assert_string_equal(script_header(r, "Sec-WebSocket-Protocol"), "v4.channel.k8s.io");
    assert_string_equal(script_header(r, "Authorization"), "Bearer t");
}

static void script_hello(void *arg, struct script_peer *p, const struct script_request *r)
{
    (void)arg;
    expect_attach(r);
    script_text(p, SWITCH);
    script_send(p, HELLO, 10); /* in the middle of a frame */
    script_send(p, &HELLO[10], sizeof(HELLO) - 1 - 10);
    script_close(p);
}

static void script_hello_at_once(void *arg, struct script_peer *p, const struct script_request *r)
{
    (void)arg;
    expect_attach(r);
    script_send(p, SWITCH HELLO "\x88\x02\x03\xe8", sizeof(SWITCH HELLO) - 1 + 4); /* and stays open */
}

static void script_agree(void *arg, struct script_peer *p, const struct script_request *r)
{
    (void)arg;
    expect_attach(r);
    script_text(p, SWITCH "\x82\x01\x01"); /* what the kubelet begins with */
}

static void script_not_running(void *arg, struct script_peer *p, const struct script_request *r)
{
    (void)arg;
    expect_attach(r);
    script_answer(p, 500, "", "{\"kind\":\"Status\",\"message\":\"container is in CONTAINER_EXITED state\"}");
}

static void script_no_frames(void *arg, struct script_peer *p, const struct script_request *r)
{
    (void)arg;
    expect_attach(r);
    script_answer(p, 200, "", "<html>");
}

static void on_heard(void *arg, const char *bytes, size_t len)
{
    struct world *w = arg;
    size_t used = strlen(w->told);

    snprintf(w->told + used, sizeof(w->told) - used, "%.*s", (int)len, bytes);
}

static void on_attach_end(void *arg, bool opened, const struct fault *f)
{
    struct world *w = arg;
    size_t used = strlen(w->told);

    snprintf(w->told + used, sizeof(w->told) - used, "|%s|%d %s", opened ? "opened" : "", f ? (int)f->kind : 0,
             f ? f->text : "");
    loop_stop(w->loop);
}

static void test_attach(void **state)
{
    static const struct {
        const char *name;
        script_fn *fn;
        int64_t limit_ms;
        const char *told;
    } rows[] = {
        {"in pieces", script_hello, 60000, "hello|opened|0 "},
        {"with the head", script_hello_at_once, 60000, "hello|opened|0 "},
        {"nothing comes", script_agree, 2000, "|opened|"},
        {"refused", script_not_running, 60000, "CONTAINER_EXITED"},
        {"something else", script_no_frames, 60000, "|opened|"},
    };
    struct world *w = *state;

    connect_as(w, "token: t");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        w->told[0] = '\0';
        script_server_handle(w->server, rows[i].fn, w);
        attach_start(w->kube, "p-1", "code", rows[i].limit_ms, on_heard, on_attach_end, w);
        loop_run(w->loop);
        if (!strstr(w->told, rows[i].told))
            fail_msg("row \"%s\": \"%s\"", rows[i].name, w->told);
        row_true(rows[i].name, !strstr(w->told, "no!"));
        row_true(rows[i].name, (strstr(w->told, "|opened|") != NULL) == (rows[i].fn != script_not_running));
    }
}

static struct attach *to_cancel;

static void on_end_too(void *arg, bool opened, const struct fault *f)
{
    attach_cancel(&to_cancel);
    on_attach_end(arg, opened, f);
}

static void on_heard_enough(void *arg, const char *bytes, size_t len)
{
    struct world *w = arg;

    on_heard(arg, bytes, len);
    attach_cancel(&to_cancel);
    loop_stop(w->loop);
}

static void test_attach_is_cancelled(void **state)
{
    struct world *w = *state;

    connect_as(w, "token: t");
    script_server_handle(w->server, script_hello_at_once, w);
    to_cancel = attach_start(w->kube, "p-1", "code", 60000, on_heard_enough, on_attach_end, w);
    loop_run(w->loop);
    assert_string_equal(w->told, "hello");
    to_cancel = attach_start(w->kube, "p-1", "code", 60000, on_heard_enough, on_attach_end, w);
    attach_cancel(&to_cancel); /* at once */
    attach_start(w->kube, "p-1", "code", 60000, on_heard, on_attach_end, w);
    w->told[0] = '\0';
    loop_run(w->loop);
    assert_string_equal(w->told, "hello|opened|0 ");
    assert_int_equal(script_server_connections(w->server), 2); /* the one that was switched is never used again */
    for (int refused = 0; refused < 2; refused++) {
        script_server_handle(w->server, refused ? script_not_running : script_hello, w);
        to_cancel = attach_start(w->kube, "p-1", "code", 60000, on_heard, on_end_too, w);
        w->told[0] = '\0';
        loop_run(w->loop);
        assert_non_null(strstr(w->told, refused ? "CONTAINER_EXITED" : "hello|opened|0 "));
    }
}

#define WITH_WORLD(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(test_token_is_replaced),
        WITH_WORLD(test_plugin),
        WITH_WORLD(test_ca_is_replaced),
        WITH_WORLD(test_watch),
        WITH_WORLD(test_attach),
        WITH_WORLD(test_attach_is_cancelled),
    };

    signal(SIGPIPE, SIG_IGN);
    unsetenv("https_proxy");
    unsetenv("HTTPS_PROXY");
    unsetenv("ALL_PROXY");
    unsetenv("all_proxy");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
