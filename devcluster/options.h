#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/fault.h"
#include "base/log.h"

/* The command line. */

enum { OPTION_FAULTS_MAX = 64 };

struct options {
    char *host; /* of --listen */
    uint16_t port;
    char *dir;        /* NULL: a temporary one, removed at the end */
    char *kubeconfig; /* NULL: DIR/kubeconfig */
    char *bwrap;
    int pods;
    int64_t seed; /* -1: none was given */
    int64_t bookmark_ms, history, history_bytes;
    enum log_level log_level;
    bool log_json;
    const char *faults[OPTION_FAULTS_MAX]; /* borrowed from argv */
    size_t n_faults;
    bool help, version;
};

/** Defaults, then argv. FAULT_INVALID names the argument that is wrong. */
int options_read(struct options *o, int argc, char **argv, struct fault *f);
void options_release(struct options *o);
void options_print_help(FILE *to);
