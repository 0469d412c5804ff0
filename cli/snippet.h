#pragma once
#include "base/buf.h"
#include "cli/options.h"
#include "queue/request.h"

/* A request made of a file of code and of options: what `run` and `submit` push. */

/* Their options begin with these. */
struct snippet_options {
    struct common common;
    const char *language, *image, *id, *cpu, *memory;
    int64_t timeout_ms; /* 0: the worker's default */
    struct text_list env;
    const char *in;           /* file with the code's standard input, or NULL */
    struct text_list files;   /* PATH[=LOCAL] */
    struct text_list outputs; /* globs */
};

/* The rows for them. */
/* clang-format off */
#define SNIPPET_ROWS \
    {"language", 'l', OPTION_TEXT, offsetof(struct snippet_options, language), "NAME", NULL, \
     "language of the code; default: by the file's extension, python for -", 0, 0}, \
    {"timeout", 't', OPTION_TIME, offsetof(struct snippet_options, timeout_ms), "TIME", NULL, \
     "end the code after this long (10, 1.5s, 2m); default: the worker's, 300 s", 0, 0}, \
    {"cpu", 0, OPTION_TEXT, offsetof(struct snippet_options, cpu), "AMOUNT", NULL, \
     "CPU limit: 500m, 2; default: the worker's", 0, 0}, \
    {"memory", 'm', OPTION_TEXT, offsetof(struct snippet_options, memory), "SIZE", NULL, \
     "memory limit: 256Mi, 1Gi; default: the worker's", 0, 0}, \
    {"env", 'e', OPTION_LIST, offsetof(struct snippet_options, env), "K=V", NULL, \
     "set a variable for the code; may be repeated", 0, 0}, \
    {"stdin", 'i', OPTION_TEXT, offsetof(struct snippet_options, in), "FILE", NULL, \
     "what the code reads from its standard input (- for yours); default: nothing", 0, 0}, \
    {"file", 'f', OPTION_LIST, offsetof(struct snippet_options, files), "PATH[=LOCAL]", NULL, \
     "send a file along, as PATH in the working directory; may be repeated", 0, 0}, \
    {"output", 'o', OPTION_LIST, offsetof(struct snippet_options, outputs), "GLOB", NULL, \
     "bring back files that the code writes (*.png, out/**); may be repeated", 0, 0}, \
    {"image", 0, OPTION_TEXT, offsetof(struct snippet_options, image), "IMAGE", NULL, \
     "container image; the worker must allow it", 0, 0}, \
    {"id", 0, OPTION_TEXT, offsetof(struct snippet_options, id), "ID", NULL, \
     "the request's id; default: a random one. The same id never runs twice", 0, 0}
/* clang-format on */

/** Reads a file ("-": standard input) up to the buffer's ceiling. */
int snippet_read_file(const char *path, struct buf *into, struct fault *f);

/** The language by the file's extension, or NULL. */
const char *snippet_language(const char *path);

/** Builds the request for the code in `path` and checks it as a worker would. `now_ms` becomes submitted_at. The
 *  caller frees the outputs. Faults are FAULT_INVALID and FAULT_TOO_BIG: the user's to mend. */
int snippet_make(const struct snippet_options *o, const char *path, const struct arguments *a, int64_t now_ms,
                 char **ret_id, char **ret_payload, struct fault *f);

/** The limits with which requests are checked here: only what no worker would take is refused. */
const struct request_limits *snippet_limits(void);
