#include "k8s/auth.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/digest.h"
#include "base/mem.h"
#include "k8s/exec.h"
#include "k8s/exec_credential.h"
#include "k8s/file.h"
#include "k8s/kubeconfig.h"
#include "k8s/pem.h"
#include "k8s/shown.h"

enum {
    TOKEN_MS = 50000, /* a minute, less what a call takes */
    FILES_MS = 300000,
    EARLY_MS = 300000, /* a plugin is run again so long before the end, or at four fifths of the time */
    LEEWAY_MS = 10000, /* what ends within a call is as good as ended */
    PLUGIN_MS = 60000, /* gcloud takes its time */
    RERUN_MS = 10000,  /* between two runs that a 401 caused */
    AGAIN_MS = 1000,   /* between two runs where the first gave what is as good as ended */
    FAILED_MS = 1000,
    FAILED_MAX_MS = 30000,
};

struct auth_wait {
    struct auth *auth;
    auth_fn *fn;
    void *arg;
    struct loop_timer *turn; /* NULL: waits for the plugin */
    TAILQ_ENTRY(auth_wait) entry;
};

struct auth {
    struct loop *loop;
    const struct kubeconfig *config;
    bool plain; /* http: nothing is sent */
    uint64_t serial;
    char *header;
    char *ca, *cert, *key; /* from files; otherwise the config's data count */
    int64_t token_read_ms, files_read_ms;
    /* The plugin, and what it gave. */
    struct exec *exec;
    struct exec_credential given;
    bool have;
    int64_t given_ms, refresh_wall_ms, ran_ms; /* loop time, but for the second */
    struct fault failed;
    int64_t failed_until_ms, failed_pause_ms;
    TAILQ_HEAD(, auth_wait) waits;
};

static void free_secret(char *s)
{
    if (s)
        mem_wipe(s, strlen(s));
    free(s);
}

static void set_header(struct auth *a, char *header)
{
    if (a->header && strcmp(a->header, header) == 0) {
        free_secret(header);
        return;
    }
    free_secret(a->header);
    a->header = header;
    a->serial++;
}

/* Files. */

static int read_token(struct auth *a, struct fault *f)
{
    _cleanup_(buf_release)
    struct buf b = BUF_INIT(FILE_READ_MAX);

    a->token_read_ms = loop_now(a->loop);
    if (file_read_trimmed(a->config->token_file, &b, f) < 0)
        return fault_wrap(f, "tokenFile");
    for (size_t i = 0; i < b.len; i++)
        if ((unsigned char)b.data[i] <= ' ' || b.data[i] == 0x7f)
            return fault_set(f, FAULT_INVALID, "tokenFile: %.150s: does not hold a token", a->config->token_file);
    set_header(a, mem_format("Authorization: Bearer %s", buf_str(&b)));
    mem_wipe(b.data, b.len);
    return 0;
}

static int read_pem(const char *path, char **ret, struct fault *f)
{
    struct buf b = BUF_INIT(FILE_READ_MAX);

    if (file_read(path, &b, f) < 0) {
        buf_release(&b);
        return -1;
    }
    *ret = buf_take(&b, NULL);
    return 0;
}

static int read_ca(struct auth *a, struct fault *f)
{
    char *ca;

    if (!a->config->ca_file)
        return 0;
    if (read_pem(a->config->ca_file, &ca, f) < 0)
        return fault_wrap(f, "certificate-authority");
    if (!pem_has_certificate(ca)) {
        free(ca);
        return fault_set(f, FAULT_INVALID, "certificate-authority: %.150s: holds no certificate", a->config->ca_file);
    }
    free(a->ca);
    a->ca = ca;
    return 0;
}

static bool has_pair_files(const struct kubeconfig *c)
{
    return c->cert_file || c->key_file;
}

/* One of the two may stand in the config: then the pair is checked all the same. */
static int read_pair(struct auth *a, struct fault *f)
{
    const struct kubeconfig *c = a->config;
    char *cert = mem_string(c->cert_data), *key = mem_string(c->key_data);
    int result = 0;

    if (!has_pair_files(c))
        goto out;
    if (c->cert_file && (result = read_pem(c->cert_file, &cert, f)) < 0)
        fault_wrap(f, "client-certificate");
    if (result == 0 && c->key_file && (result = read_pem(c->key_file, &key, f)) < 0)
        fault_wrap(f, "client-key");
    if (result == 0 && !pem_is_pair(cert, key))
        result = fault_set(f, FAULT_INVALID, "client-certificate and client-key are no pair in PEM");
    if (result == 0 && !(a->cert && strcmp(a->cert, cert) == 0)) {
        a->serial++;
        free(a->cert);
        free_secret(a->key);
        a->cert = TAKE(cert);
        a->key = TAKE(key);
    }
out:
    free(cert);
    free_secret(key);
    return result;
}

static int read_files(struct auth *a, struct fault *f)
{
    a->files_read_ms = loop_now(a->loop);
    return read_ca(a, f) < 0 || read_pair(a, f) < 0 ? -1 : 0;
}

/* Again, if it is time; what cannot be used is passed over, and looked at again when it is time again. */
static void reread(struct auth *a)
{
    struct fault ignored = FAULT_INIT;
    int64_t now = loop_now(a->loop);

    if (a->plain)
        return;
    if (a->config->token_file && now - a->token_read_ms >= TOKEN_MS)
        read_token(a, &ignored);
    if (now - a->files_read_ms >= FILES_MS) {
        a->files_read_ms = now;
        read_ca(a, &ignored);
        read_pair(a, &ignored);
    }
}

/* The plugin. */

/* Not where the entry brings credentials of its own, as in client-go. */
static bool by_plugin(const struct auth *a)
{
    const struct kubeconfig *c = a->config;

    return c->exec && !a->plain && !c->token && !c->token_file && !c->username && !c->password && !c->cert_file &&
           !c->cert_data;
}

static bool ends_soon(const struct auth *a)
{
    return a->given.expires_ms && loop_wall(a->loop) >= a->given.expires_ms - LEEWAY_MS;
}

static bool ran_within(const struct auth *a, int64_t ms)
{
    return loop_now(a->loop) - a->ran_ms < ms;
}

/* Many plugins keep what they have until its very end, and clocks differ: what was given a moment ago counts, however
 * soon it ends. */
static bool usable(const struct auth *a)
{
    return a->have && (!ends_soon(a) || loop_now(a->loop) - a->given_ms < AGAIN_MS);
}

static void serve(void *arg);

static void serve_all(struct auth *a)
{
    struct auth_wait *w;

    TAILQ_FOREACH (w, &a->waits, entry)
        loop_defer(a->loop, &w->turn, serve, w);
}

static void take_given(struct auth *a, struct exec_credential *c)
{
    int64_t now = loop_wall(a->loop), life = c->expires_ms - now;

    exec_credential_release(&a->given);
    a->given = *c;
    *c = (struct exec_credential){0};
    a->have = true;
    a->given_ms = loop_now(a->loop);
    a->refresh_wall_ms = a->given.expires_ms - (life / 5 < EARLY_MS ? life / 5 : EARLY_MS);
    a->failed_pause_ms = 0;
    a->failed_until_ms = 0;
    a->serial++;
    free_secret(a->header);
    a->header = a->given.token ? mem_format("Authorization: Bearer %s", a->given.token) : NULL;
}

static void on_plugin(void *arg, struct exec_credential *c, const struct fault *f)
{
    struct auth *a = arg;

    a->exec = NULL;
    a->ran_ms = loop_now(a->loop);
    if (c) {
        take_given(a, c);
    } else {
        a->failed = *f;
        a->failed.code = AUTH_PLUGIN;
        a->failed_pause_ms = a->failed_pause_ms ? 2 * a->failed_pause_ms : FAILED_MS;
        if (a->failed_pause_ms > FAILED_MAX_MS)
            a->failed_pause_ms = FAILED_MAX_MS;
        a->failed_until_ms = a->ran_ms + a->failed_pause_ms;
    }
    serve_all(a);
}

static void run_plugin(struct auth *a)
{
    const char *ca = a->ca ? a->ca : a->config->ca_data;

    if (!a->exec && loop_now(a->loop) >= a->failed_until_ms)
        a->exec = exec_start(a->loop, a->config, ca, PLUGIN_MS, on_plugin, a);
}

/* Asking. */

static void answer(struct auth_wait *w, const struct fault *f)
{
    struct auth *a = w->auth;
    const struct kubeconfig *config = a->config;
    struct auth_credentials c = {.serial = a->serial};
    auth_fn *fn = w->fn;
    void *arg = w->arg;

    TAILQ_REMOVE(&a->waits, w, entry);
    free(w);
    if (f) {
        struct fault copy = *f; /* the original may go with us */

        fn(arg, NULL, &copy);
        return;
    }
    if (!a->plain) {
        c.header = a->header;
        c.tls = (struct http_tls){.ca = a->ca ? a->ca : config->ca_data, .insecure = config->insecure_skip_tls_verify};
        c.tls.cert = a->given.cert ? a->given.cert : a->cert ? a->cert : config->cert_data;
        c.tls.key = a->given.cert ? a->given.key : a->cert ? a->key : config->key_data;
    }
    fn(arg, &c, NULL);
}

static void serve(void *arg)
{
    struct auth_wait *w = arg;
    struct auth *a = w->auth;

    reread(a);
    if (!by_plugin(a)) {
        answer(w, NULL);
        return;
    }
    if (!usable(a)) {
        run_plugin(a);
        if (!a->exec)
            answer(w, &a->failed);
        return; /* on_plugin() goes on */
    }
    if (a->given.expires_ms && loop_wall(a->loop) >= a->refresh_wall_ms && !ran_within(a, AGAIN_MS))
        run_plugin(a); /* nobody waits for it */
    answer(w, NULL);
}

struct auth_wait *auth_ask(struct auth *a, auth_fn *fn, void *arg)
{
    struct auth_wait *w = mem_new(struct auth_wait);

    w->auth = a;
    w->fn = fn;
    w->arg = arg;
    TAILQ_INSERT_TAIL(&a->waits, w, entry);
    loop_defer(a->loop, &w->turn, serve, w);
    return w;
}

void auth_cancel(struct auth_wait **wait)
{
    struct auth_wait *w = *wait;

    *wait = NULL;
    if (!w)
        return;
    loop_cancel(&w->turn);
    TAILQ_REMOVE(&w->auth->waits, w, entry);
    free(w);
}

bool auth_refused(struct auth *a, uint64_t serial)
{
    struct fault ignored = FAULT_INIT;

    if (serial != a->serial)
        return true; /* others have come since */
    if (a->plain)
        return false;
    if (a->config->token_file) {
        read_token(a, &ignored);
        return serial != a->serial;
    }
    if (has_pair_files(a->config)) {
        read_pair(a, &ignored);
        return serial != a->serial;
    }
    if (!by_plugin(a) || ran_within(a, ends_soon(a) ? AGAIN_MS : RERUN_MS))
        return false;
    a->have = false;
    return true;
}

void auth_explain(const struct auth *a, struct fault *f)
{
    const struct kubeconfig *c = a->config;
    struct shown shown = {
        .config = c,
        .nothing = a->plain,
        .token = a->header != NULL,
        .plugin = by_plugin(a),
        .cert = a->given.cert ? a->given.cert
                : a->cert     ? a->cert
                              : c->cert_data,
        .now_ms = loop_wall(a->loop),
    };

    shown_tell(&shown, f);
}

void auth_distrust(struct auth *a)
{
    a->files_read_ms = loop_now(a->loop) - FILES_MS;
}

/* The start. */

static char *basic_header(const struct kubeconfig *c)
{
    _cleanup_(buf_release)
    struct buf b = BUF_INIT(FILE_READ_MAX);
    _cleanup_free_ char *plain = mem_format("%s:%s", c->username ? c->username : "", c->password ? c->password : "");
    struct fault ignored = FAULT_INIT;
    char *header;

    digest_base64_encode(plain, strlen(plain), &b, &ignored);
    header = mem_format("Authorization: Basic %s", buf_str(&b));
    mem_wipe(plain, strlen(plain));
    mem_wipe(b.data, b.len);
    return header;
}

static int read_first(struct auth *a, struct fault *f)
{
    const struct kubeconfig *c = a->config;

    if (a->plain)
        return 0;
    if (c->ca_data && !pem_has_certificate(c->ca_data))
        return fault_set(f, FAULT_INVALID, "certificate-authority-data holds no certificate");
    if (c->cert_data && c->key_data && !pem_is_pair(c->cert_data, c->key_data))
        return fault_set(f, FAULT_INVALID, "client-certificate-data and client-key-data are no pair in PEM");
    if (read_files(a, f) < 0)
        return -1;
    if (c->token_file)
        return read_token(a, f);
    if (c->token)
        set_header(a, mem_format("Authorization: Bearer %s", c->token));
    else if (c->username || c->password)
        set_header(a, basic_header(c));
    return 0;
}

int auth_new(struct loop *l, const struct kubeconfig *config, struct auth **ret_auth, struct fault *f)
{
    _cleanup_(auth_freep)
    struct auth *a = mem_new(struct auth);

    TAILQ_INIT(&a->waits);
    a->loop = l;
    a->config = config;
    a->plain = strncmp(config->server, "https://", 8) != 0;
    a->ran_ms = loop_now(l) - RERUN_MS;
    if (read_first(a, f) < 0)
        return -1;
    *ret_auth = TAKE(a);
    return 0;
}

void auth_free(struct auth *a)
{
    struct auth_wait *w;

    while ((w = TAILQ_FIRST(&a->waits)))
        auth_cancel(&w);
    exec_cancel(&a->exec);
    exec_credential_release(&a->given);
    free_secret(a->header);
    free(a->ca);
    free(a->cert);
    free_secret(a->key);
    free(a);
}
