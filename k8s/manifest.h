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

struct manifest_env {
    const char *name, *value;
};

/* Everything is borrowed. */
struct manifest {
    const char *name;                        /* of Job and ConfigMap */
    const char *worker, *uid;                /* labels */
    const char *id, *queue, *digest, *token; /* annotations */
    const char *image;
    const char *const *argv; /* ended by NULL, as is args */
    const char *const *args;
    const struct manifest_env *env; /* ended by a NULL name */
    const char *file;               /* name of the code under /app: "code.py" */
    const char *code;
    size_t code_len;
    int64_t cpu_milli, cpu_request_milli;
    int64_t memory_bytes;
    int64_t memory_request_bytes;      /* 0, as with the CPU: the limit */
    int64_t disk_bytes;                /* of the container, and of /tmp and /work each */
    int64_t start_s, timeout_s, ttl_s; /* pod deadline is start + timeout + margin */
    const char *runtime_class;         /* NULL or "": the cluster's default */
    bool gvisor_toleration;            /* sandbox.gke.io/runtime=gvisor:NoSchedule */
    const char *service_account;       /* NULL or "": "default" */
    const char *priority_class;        /* NULL or "": none */
    const char *node_arch;             /* kubernetes.io/arch; NULL or "": any */
    int64_t run_as;                    /* uid and gid; not 0 */
    bool seccomp;                      /* RuntimeDefault */
    bool network;                      /* the cluster's name server; whether packets pass is the policies' business */
};

/** Texts of argv, args and env arrive in the container as they are: "$(NAME)" is not expanded. */
int manifest_job(const struct manifest *m, struct buf *out, struct fault *f);

/** `job_uid` makes the Job its owner: deleting the Job deletes both. Code that is not UTF-8 goes to binaryData. */
int manifest_configmap(const struct manifest *m, const char *job_uid, struct buf *out, struct fault *f);
