#pragma once
/* One client of Kubernetes' API (k8s/kube.h) over a fake HTTP, on the fake loop: the test answers its requests with
 * fake_http.h and sees what became of a call in a struct outcome. */
#include "unit/check.h"

#include "fake/fake_http.h"
#include "fake/fake_loop.h"
#include "k8s/kube.h"
#include "k8s/kubeconfig.h"

struct world {
    struct loop *loop;
    struct kube *kube;
    struct kubeconfig config; /* https://h:6443/pre, namespace "n/s", token "tok" */
    bool may_write;
};

/* What became of a call. */
struct outcome {
    int times, status;
    struct fault fault;
    char text[256];             /* of the object's "v", or the bytes */
    struct json_object *object; /* the test frees it */
    bool truncated;
    struct world *world;
    struct kube_call *call, *other; /* are cancelled in the callback */
    bool free_all;                  /* so is the world's client freed */
};

/** Set-up and tear-down of a test: a client with the usual settings that may write; in the end no timer is left. */
int world_set_up(void **state);
int world_tear_down(void **state);
#define WITH_WORLD(fn) cmocka_unit_test_setup_teardown(fn, world_set_up, world_tear_down)

/** A new client with these settings in place of the one before, whose requests fake_http.h forgets. */
void world_restart(struct world *w, const struct kube_settings *s);

/** A kube_fn, for a struct outcome. */
void on_done(void *arg, const struct kube_reply *reply, const struct fault *f);

/** A call like any other: GET of the Job "j". */
struct kube_call *get_job(struct world *w, struct outcome *o);

/** Answers every open request with this, until `ms` have passed. */
void answer_all(struct world *w, int status, const char *body, int64_t ms);
