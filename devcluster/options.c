#include "devcluster/options.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

struct option_row {
    const char *name, *value, *help;
    int (*read)(struct options *o, const char *value, struct fault *f);
};

static int read_listen(struct options *o, const char *value, struct fault *f)
{
    const char *colon = strrchr(value, ':');
    int64_t port;

    if (!colon || colon == value)
        return fault_set(f, FAULT_INVALID, "--listen: \"%.60s\" is not HOST:PORT", value);
    if (text_to_int(colon + 1, 0, 65535, &port, f) < 0)
        return fault_wrap(f, "--listen");
    free(o->host);
    o->host = value[0] == '[' ? mem_bytes(value + 1, (size_t)(colon - value) - 2)
                              : mem_bytes(value, (size_t)(colon - value));
    o->port = (uint16_t)port;
    return 0;
}

static int read_dir(struct options *o, const char *value, struct fault *f)
{
    (void)f;
    free(o->dir);
    o->dir = mem_string(value);
    return 0;
}

static int read_kubeconfig(struct options *o, const char *value, struct fault *f)
{
    (void)f;
    free(o->kubeconfig);
    o->kubeconfig = mem_string(value);
    return 0;
}

static int read_bwrap(struct options *o, const char *value, struct fault *f)
{
    (void)f;
    free(o->bwrap);
    o->bwrap = mem_string(value);
    return 0;
}

static int read_pods(struct options *o, const char *value, struct fault *f)
{
    int64_t n;

    if (text_to_int(value, 1, 1000, &n, f) < 0)
        return fault_wrap(f, "--pods");
    o->pods = (int)n;
    return 0;
}

static int read_seed(struct options *o, const char *value, struct fault *f)
{
    return text_to_int(value, 0, INT64_MAX, &o->seed, f) < 0 ? fault_wrap(f, "--seed") : 0;
}

static int read_history(struct options *o, const char *value, struct fault *f)
{
    return text_to_int(value, 1, 1000000, &o->history, f) < 0 ? fault_wrap(f, "--history") : 0;
}

static int read_bookmark(struct options *o, const char *value, struct fault *f)
{
    if (text_to_ms(value, &o->bookmark_ms, f) < 0)
        return fault_wrap(f, "--bookmark-every");
    return o->bookmark_ms > 0 ? 0 : fault_set(f, FAULT_INVALID, "--bookmark-every: must be more than 0");
}

static int read_fault(struct options *o, const char *value, struct fault *f)
{
    if (o->n_faults == OPTION_FAULTS_MAX)
        return fault_set(f, FAULT_INVALID, "--fault: at most %d", OPTION_FAULTS_MAX);
    o->faults[o->n_faults++] = value;
    return 0;
}

static int read_log_level(struct options *o, const char *value, struct fault *f)
{
    return log_level_parse(value, &o->log_level, f) < 0 ? fault_wrap(f, "--log-level") : 0;
}

static int read_log_format(struct options *o, const char *value, struct fault *f)
{
    if (strcmp(value, "text") != 0 && strcmp(value, "json") != 0)
        return fault_set(f, FAULT_INVALID, "--log-format: \"%.40s\" is neither text nor json", value);
    o->log_json = value[0] == 'j';
    return 0;
}

static int read_help(struct options *o, const char *value, struct fault *f)
{
    (void)value;
    (void)f;
    o->help = true;
    return 0;
}

static int read_version(struct options *o, const char *value, struct fault *f)
{
    (void)value;
    (void)f;
    o->version = true;
    return 0;
}

/* clang-format off */
static const struct option_row rows[] = {
    {"--listen",         "HOST:PORT", "where to serve; port 0 takes a free one (127.0.0.1:0)",              read_listen},
    {"--dir",            "DIR",       "where pods, logs and volumes live (a temporary folder)",             read_dir},
    {"--kubeconfig",     "FILE",      "written once the port is open (DIR/kubeconfig)",                     read_kubeconfig},
    {"--pods",           "N",         "how many pods run at once; further ones stay pending (32)",          read_pods},
    {"--fault",          "RULE",      "orders a fault, as JSON or verb=create,resource=jobs,action=429,count=3;\n"
                         "                             may be repeated",                                      read_fault},
    {"--seed",           "N",         "makes \"probability\" in rules repeatable (random)",                 read_seed},
    {"--history",        "N",         "how many changes a watch may resume over (4096)",                    read_history},
    {"--bookmark-every", "TIME",      "how often a watch gets a bookmark (60s)",                            read_bookmark},
    {"--bwrap",          "FILE",      "the bubblewrap program (found in PATH)",                             read_bwrap},
    {"--log-level",      "LEVEL",     "error, warning, info or debug (info)",                               read_log_level},
    {"--log-format",     "FORMAT",    "text or json (text)",                                                read_log_format},
    {"--help",           NULL,        "prints this",                                                        read_help},
    {"--version",        NULL,        "prints the version",                                                 read_version},
};
/* clang-format on */

void options_print_help(FILE *to)
{
    fputs(
        "usage: execq-devcluster [OPTION...]\n\n"
        "Serves enough of the Kubernetes API on one machine to try execq out and to test it. A pod is a process in a\n"
        "bubblewrap sandbox on this machine: `image` is ignored, the host's /usr is what it sees. Not for production.\n\n",
        to);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        fprintf(to, "  %-16s %-9s %s\n", rows[i].name, rows[i].value ? rows[i].value : "", rows[i].help);
}

static const struct option_row *find_row(const char *arg, size_t len)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (strlen(rows[i].name) == len && strncmp(rows[i].name, arg, len) == 0)
            return &rows[i];
    return NULL;
}

static int read_arguments(struct options *o, int argc, char **argv, struct fault *f)
{
    for (int i = 1; i < argc; i++) {
        const char *equals = strchr(argv[i], '='), *value = equals ? equals + 1 : NULL;
        const struct option_row *row = find_row(argv[i], equals ? (size_t)(equals - argv[i]) : strlen(argv[i]));

        if (!row)
            return fault_set(f, FAULT_INVALID, "unknown option \"%.60s\" (see --help)", argv[i]);
        if (!row->value && value)
            return fault_set(f, FAULT_INVALID, "%s takes no value", row->name);
        if (row->value && !value && i + 1 == argc)
            return fault_set(f, FAULT_INVALID, "%s needs a value", row->name);
        if (row->value && !value)
            value = argv[++i];
        if (row->read(o, value, f) < 0)
            return -1;
    }
    return 0;
}

int options_read(struct options *o, int argc, char **argv, struct fault *f)
{
    *o = (struct options){
        .host = mem_string("127.0.0.1"),
        .pods = 32,
        .seed = -1,
        .bookmark_ms = 60000,
        .history = 4096,
        .history_bytes = 16 << 20,
        .log_level = LEVEL_INFO,
    };
    return read_arguments(o, argc, argv, f);
}

void options_release(struct options *o)
{
    free(o->host);
    free(o->dir);
    free(o->kubeconfig);
    free(o->bwrap);
    *o = (struct options){0};
}
