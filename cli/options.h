#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/fault.h"

/* The command line as two tables: one row a command (struct command), one row an option (struct option). The help
 * is made of the same rows that are parsed. */

/* What `execq` ends with. docs and `execq --help` show the same list. */
enum exit_code {
    EXIT_OK = 0,
    EXIT_OURS = 1,        /* batch: a result is an infra_error (or what --fail-on names); run, result: a file that came
                             back cannot be written */
    EXIT_USAGE = 2,       /* wrong command line or input; nothing was submitted */
    EXIT_UNREACHABLE = 3, /* cannot reach Redis, or Redis refuses */
    EXIT_NO_RESULT = 4,   /* result: there is none (yet) */
    EXIT_LIMIT = 123,     /* output_limit, disk_limit, compile_error */
    EXIT_TIMEOUT = 124,   /* as timeout(1) */
    EXIT_INFRA = 125,     /* infra_error */
    EXIT_CALLER = 126,    /* invalid, rejected, cancelled, expired */
    EXIT_INTERRUPTED = 130, /* Ctrl-C or SIGTERM */
    EXIT_OOM = 137,
    EXIT_SIGNAL = 128, /* plus the signal's number */
};

enum option_kind {
    OPTION_FLAG,       /* bool */
    OPTION_TEXT,       /* const char *: borrowed from argv or the environment */
    OPTION_NUMBER,     /* int64_t between min and max */
    OPTION_TIME,       /* int64_t milliseconds, written "30", "1.5s", "5m" */
    OPTION_MAYBE_TIME, /* as OPTION_TIME; without a value OPTION_FOREVER. A value that is not joined by "=" is
                          taken only behind the first argument: `result ID --wait 30` */
    OPTION_LIST,       /* struct text_list; may be given more than once */
};

#define OPTION_FOREVER INT64_MAX

struct text_list {
    const char **items; /* what they point to is borrowed */
    size_t n;
};

struct option {
    const char *name; /* without the dashes; NULL ends the table */
    char letter;      /* of the short form, or 0 */
    enum option_kind kind;
    size_t at;               /* offsetof() in the command's options */
    const char *value;       /* what the help calls the value */
    const char *environment; /* read where the option is not given; or NULL */
    const char *help;
    int64_t min, max; /* of a number */
};

/* The first member of every command's options. */
struct common {
    const char *redis_url, *queue;
    bool json, help;
};

#define COMMON_INIT                                                 \
    {                                                               \
        .redis_url = "redis://127.0.0.1:6379/0", .queue = "default" \
    }

/* What is no option. */
struct arguments {
    const char **words;
    size_t n;
    const char **rest; /* behind "--" */
    size_t n_rest;
};
void arguments_release(struct arguments *a);

struct session;

struct command {
    const char *name;
    const char *synopsis; /* "FILE [-- ARG...]" */
    const char *summary;  /* one line, for `execq --help` */
    const char *text;     /* explanation and examples, for `execq NAME --help` */
    size_t arguments_min, arguments_max;
    bool takes_rest; /* whether "--" and what follows is welcome */
    const struct option *options;
    const void *presets; /* the command's options before any is read: begins with a struct common */
    size_t presets_size;
    /** Does the work: the session is zeroed and closed by the caller. Returns an exit_code, or -1 and a fault. */
    int (*act)(struct session *s, const void *options, const struct arguments *a, struct fault *f);
    /** In place of `act`, for what is another program's work: gets the words behind the command's name as they are,
     * ended by NULL. Options, presets and the rest above are of no use then. */
    int (*pass_on)(char **words);
};

/** Reads argv (without the command's name) into `options`, which hold their defaults and begin with a
 *  struct common. Lists and arguments point into argv. Faults are FAULT_INVALID and name the option. Where --help
 *  is given the number of arguments is not checked. */
int options_parse(const struct command *c, int argc, char **argv, void *options, struct arguments *ret_arguments,
                  struct fault *f);

/** Frees the lists in `options`. */
void options_release(const struct command *c, void *options);

void options_help(FILE *to, const struct command *c);

extern const struct command cmd_run, cmd_batch, cmd_submit, cmd_result, cmd_status, cmd_doctor;
