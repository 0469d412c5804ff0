#pragma once
/* The credentials of one kubeconfig (k8s/auth.h) on the fake loop, with files that a test writes, two PKIs and a plugin
 * that fake_exec.h plays. */
#include "unit/check.h"

#include "fake/fake_loop.h"
#include "fake/test_pki.h"
#include "k8s/auth.h"
#include "k8s/kubeconfig.h"

#define TEXT(s) ((char *)(uintptr_t)(s))

struct world {
    struct loop *loop;
    struct auth *auth;
    struct kubeconfig config; /* https://h, and no credentials yet */
    struct kubeconfig_exec exec;
    struct pki one, two;
    char folder[64], token[80], ca[80], cert[80], key[80]; /* paths; no file is there yet */
};

/* What was answered last. */
extern struct answered {
    int times;
    char header[300];
    char ca[2000], cert[2000], key[2000];
    uint64_t serial;
    struct fault fault;
} got;

/** Set-up and tear-down of a test: nothing is started; in the end the credentials are freed, and no timer is left. */
int world_set_up(void **state);
int world_tear_down(void **state);
#define WITH_WORLD(fn) cmocka_unit_test_setup_teardown(fn, world_set_up, world_tear_down)

void world_start(struct world *w);                        /* with w->config as it is now */
void refuses_to_start(struct world *w, const char *says); /* ... which is a fault that says so */
void write_file(const char *path, const char *text);      /* readable for its owner only */
void on_credentials(void *arg, const struct auth_credentials *c, const struct fault *f); /* fills `got` */

/** Asks for credentials: they are there when it returns, unless a plugin is at work. */
void ask(struct world *w);

/** Asks, and fails unless there is an answer at once, with this header. */
void expect_header(struct world *w, const char *header);
