#include "unit/auth_world.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "fake/fake_exec.h"
#include "fake/fake_http.h"

struct answered got;

void on_credentials(void *arg, const struct auth_credentials *c, const struct fault *f)
{
    (void)arg;
    got.times++;
    got.fault = f ? *f : (struct fault)FAULT_INIT;
    if (!c)
        return;
    snprintf(got.header, sizeof(got.header), "%s", c->header ? c->header : "");
    snprintf(got.ca, sizeof(got.ca), "%s", c->tls.ca ? c->tls.ca : "");
    snprintf(got.cert, sizeof(got.cert), "%s", c->tls.cert ? c->tls.cert : "");
    snprintf(got.key, sizeof(got.key), "%s", c->tls.key ? c->tls.key : "");
    got.serial = c->serial;
}

void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

int world_set_up(void **state)
{
    static struct world w;
    struct fault f = FAULT_INIT;

    w = (struct world){.folder = "/tmp/test-auth-XXXXXX"};
    memset(&got, 0, sizeof(got));
    fake_exec_reset();
    fake_http_reset();
    pki_make(&w.one, "alice");
    pki_make(&w.two, "bob");
    assert_non_null(mkdtemp(w.folder));
    snprintf(w.token, sizeof(w.token), "%s/token", w.folder);
    snprintf(w.ca, sizeof(w.ca), "%s/ca", w.folder);
    snprintf(w.cert, sizeof(w.cert), "%s/cert", w.folder);
    snprintf(w.key, sizeof(w.key), "%s/key", w.folder);
    loop_new(&w.loop, &f);
    w.config.server = TEXT("https://h");
    w.config.namespace_ = TEXT("n");
    w.exec = (struct kubeconfig_exec){.command = TEXT("plugin"),
                                      .api_version = TEXT("client.authentication.k8s.io/v1")};
    *state = &w;
    return 0;
}

int world_tear_down(void **state)
{
    struct world *w = *state;
    _cleanup_free_ char *command = mem_format("rm -rf %s", w->folder);

    if (w->auth)
        auth_free(w->auth);
    assert_int_equal(fake_loop_pending(w->loop), 0);
    loop_free(w->loop);
    pki_release(&w->one);
    pki_release(&w->two);
    fake_http_reset();
    return system(command);
}

void world_start(struct world *w)
{
    struct fault f = FAULT_INIT;

    if (auth_new(w->loop, &w->config, &w->auth, &f) < 0)
        fail_msg("%s", f.text);
}

void refuses_to_start(struct world *w, const char *says)
{
    struct fault f = FAULT_INIT;

    assert_int_equal(auth_new(w->loop, &w->config, &w->auth, &f), -1);
    if (!strstr(f.text, says))
        fail_msg("%s", f.text);
}

void ask(struct world *w)
{
    int before = got.times;

    auth_ask(w->auth, on_credentials, NULL);
    assert_int_equal(got.times, before); /* never at once */
    fake_loop_settle(w->loop);
}

void expect_header(struct world *w, const char *header)
{
    int before = got.times;

    ask(w);
    assert_int_equal(got.times, before + 1);
    assert_int_equal(got.fault.kind, FAULT_NONE);
    assert_string_equal(got.header, header);
}
