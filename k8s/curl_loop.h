#pragma once
#include <curl/curl.h>

#include "base/cleanup.h"
#include "base/loop.h"

/* libcurl's multi interface on the loop: libcurl says which sockets and which timer it waits for, libevent waits.
 * For k8s/http.c alone. */

struct curl_loop;

/** Runs when a transfer has ended and its handle was taken out of the multi, from the loop, never inside a callback
 *  of libcurl's. It must not add, remove or free anything here: those come later (loop_defer). */
typedef void curl_loop_fn(CURL *easy, CURLcode result);

struct curl_loop *curl_loop_new(struct loop *l, unsigned idle, curl_loop_fn *on_finished);
void curl_loop_free(struct curl_loop *c); /* every handle must be out of it */
DEFINE_CLEANUP(struct curl_loop, curl_loop_free)

/* Not to be called inside a callback of libcurl's, which refuses it. */
CURLMcode curl_loop_add(struct curl_loop *c, CURL *easy);
void curl_loop_remove(struct curl_loop *c, CURL *easy); /* one under way: its connection is closed */
