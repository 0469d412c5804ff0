#pragma once

/* The parts of the stand-in, so that each can reach the others. main.c makes them in this order and frees them in the
 * opposite one. */

struct loop;
struct options;
struct store;
struct faults;
struct counters;
struct watches;
struct reaper;
struct jobs;
struct kubelet;
struct server;

struct cluster {
    struct loop *loop;
    const struct options *options;
    struct store *store;
    struct faults *faults;
    struct counters *counters;
    struct watches *watches;
    struct reaper *reaper;
    struct jobs *jobs;
    struct kubelet *kubelet;
    struct server *server;
};
