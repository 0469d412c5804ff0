#pragma once
#include <stdbool.h>
#include <stddef.h>

/* The kinds of objects that are served, and the verbs on them. */

enum verb {
    VERB_GET,
    VERB_LIST,
    VERB_WATCH,
    VERB_CREATE,
    VERB_UPDATE,
    VERB_PATCH,
    VERB_DELETE,
    VERB_DELETECOLLECTION,
    VERB_LOG,
    VERB_ATTACH,
    VERB_COUNT,
};

/** "get", "list", ...: in rules, counters and discovery. */
const char *verb_name(enum verb verb);

#define VERB_BIT(v) (1u << (v))

struct kind {
    const char *group; /* "" for core */
    const char *version;
    const char *resource; /* "pods": unique among the kinds served */
    const char *singular;
    const char *name; /* "Pod" */
    const char *short_name;
    bool namespaced;
    bool log;                  /* has the subresources log and attach */
    unsigned verbs;            /* VERB_BIT()s */
    const char *const *fields; /* field selectors beside metadata.name and metadata.namespace, ended by NULL */
};

extern const struct kind kinds[];
extern const size_t kinds_count;

extern const struct kind *const kind_namespace,
    *const kind_configmap, *const kind_pod, *const kind_event, *const kind_job, *const kind_node;

/** NULL if nothing of that name is served. */
const struct kind *kind_find(const char *group, const char *version, const char *resource);

/** "v1" or "batch/v1": lives as long as the program. */
const char *kind_api_version(const struct kind *kind);
