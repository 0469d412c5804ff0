#pragma once
#include <stddef.h>

/* The watches that are open. One that reads too slowly is cut off at a backlog of 8 MiB; one that was idle for a
 * minute gets a bookmark, if it asked for bookmarks. */

struct call;
struct cluster;
struct selector;
struct watches;

struct watches *watches_new(struct cluster *c);
/** Ends them all without a word. */
void watches_free(struct watches *w);

/** Answers a call with a stream of changes. Takes `s`. */
void watches_start(struct watches *w, struct call *call, struct selector *s);

size_t watches_open(const struct watches *w);
