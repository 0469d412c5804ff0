#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/loop.h"
#include "k8s/http.h"

/* The API server: one request to it, with the credentials of the moment. A 401 drops them and sends the request
 * once more if there may be others; whatever is not 2xx, or 101 for who asked to switch protocols, is a fault
 * (k8s/status). Nothing else is repeated here. */

struct api;
struct api_call;
struct kubeconfig;

/* Connections of their own: a watch or a slow log never stands in the way of a short call. */
enum api_lane { API_SHORT, API_LOG, API_WATCH, API_LANES };

struct api_ask {
    enum api_lane lane;
    const char *method;
    const char *path; /* with its query. This and the body are borrowed until the end */
    const char *body;
    size_t body_len;
    const char *const *header;    /* lines beside those that every request has, ended by NULL; or NULL. Borrowed */
    int64_t limit_ms, silence_ms; /* this and what follows as in k8s/http.h */
    size_t max;
    bool cut, fresh;
    http_bytes_fn *on_bytes;
    bool (*may_send)(void *arg); /* asked at the last moment; false ends the call with FAULT_CANCELLED. NULL: always */
};

/** `idle`: connections kept open a lane. Faults of auth_new(). */
int api_new(struct loop *l, const struct kubeconfig *config, const unsigned idle[API_LANES], struct api **ret_api,
            struct fault *f);
void api_free(struct api *a);
DEFINE_CLEANUP(struct api, api_free)

/** `done` runs exactly once, never after api_cancel(); faults are those of http, auth and status. `arg` is for
 *  on_bytes and may_send too. */
struct api_call *api_start(struct api *a, const struct api_ask *ask, http_done_fn *done, void *arg);
void api_cancel(struct api_call **call);

const char *api_server(const struct api *a);
int64_t api_requests(const struct api *a); /* how many were sent */
struct loop *api_loop(const struct api *a);
