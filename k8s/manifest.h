#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* The Job and the ConfigMap of one attempt as JSON, pure. The hardened pod is that of docs/security.md: admitted by
 * a namespace that enforces Pod Security "restricted". */

#define MANIFEST_CONTAINER "code" /* the name of the container that counts */

/* Labels and annotations by which execq knows its own. */
#define LABEL_APP         "app.kubernetes.io/managed-by" /* always "execq" */
#define LABEL_WORKER      "execq.dev/worker"             /* the shared watch selects by it */
#define LABEL_UID         "execq.dev/installation"       /* of the Redis that the request came from */
#define LABEL_NETWORK     "execq.dev/network"            /* "true" or "false": network policies select by it */
#define ANNOTATION_ID     "execq.dev/id"
#define ANNOTATION_QUEUE  "execq.dev/queue"
#define ANNOTATION_DIGEST "execq.dev/digest"
#define ANNOTATION_TOKEN  "execq.dev/token"

/* Where the pod finds what it is given, both read-only: the attempt's ConfigMap, and the runner. */
#define MANIFEST_CODE_DIR   "/app"
#define MANIFEST_RUNNER_DIR "/execq"

/* A file of a ConfigMap. */
struct manifest_file {
    const char *name;
    const char *bytes;
    size_t len;
};

/* Everything is borrowed. */
struct manifest {
    const char *name;                        /* of Job and ConfigMap */
    const char *worker, *uid;                /* labels */
    const char *id, *queue, *digest, *token; /* annotations */
    const char *image;
    const char *const *argv;           /* ended by NULL */
    const struct manifest_file *files; /* of the ConfigMap: they appear in MANIFEST_CODE_DIR */
    size_t file_count;
    const char *runner_map; /* ConfigMap that holds the runner: its key `runner_key` appears as */
    const char *runner_key; /* MANIFEST_RUNNER_DIR "/runner", executable. NULL: the image has one */
    int64_t cpu_milli, cpu_request_milli;
    int64_t memory_bytes;
    int64_t memory_request_bytes;  /* 0, as with the CPU: the limit */
    int64_t disk_bytes;            /* of the container, and of /tmp and /work each */
    int64_t start_s, run_s, ttl_s; /* pod deadline is start + run + margin */
    const char *runtime_class;     /* NULL or "": the cluster's default */
    bool gvisor_toleration;        /* sandbox.gke.io/runtime=gvisor:NoSchedule */
    const char *service_account;   /* NULL or "": "default" */
    const char *priority_class;    /* NULL or "": none */
    const char *node_arch;         /* kubernetes.io/arch; NULL or "": any */
    int64_t run_as;                /* uid and gid; not 0 */
    bool seccomp;                  /* RuntimeDefault */
    bool network;                  /* the cluster's name server; whether packets pass is the policies' business */
};

/** Texts of argv arrive in the container as they are: "$(NAME)" is not expanded. */
int manifest_job(const struct manifest *m, struct buf *out, struct fault *f);

/** `job_uid` makes the Job its owner: deleting the Job deletes both. What is not UTF-8 goes to binaryData. */
int manifest_configmap(const struct manifest *m, const char *job_uid, struct buf *out, struct fault *f);

/** The immutable ConfigMap that all pods share; its files are executable where they are mounted. */
int manifest_runner_map(const char *name, const struct manifest_file *files, size_t count, struct buf *out,
                        struct fault *f);
