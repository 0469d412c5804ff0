#pragma once
#include <json-c/json_types.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fault.h"

/* Where the cluster is and how to prove who we are: a kubeconfig (or several, merged by kubectl's rules) or the
 * files that a pod finds in /var/run/secrets. Read once at start; what changes while we run (tokens, certificates,
 * CA) is named here by its file and read again by k8s/auth. */

struct kubeconfig_exec {
    char *api_version, *command;
    char **args, **env; /* ended by NULL; env as NAME=value */
    bool provide_cluster_info, always_interactive;
    char *install_hint;
    struct json_object *cluster_config; /* the cluster's extension for exec plugins, or NULL */
};

struct kubeconfig {
    char *server;          /* https://host:port[/prefix], no trailing slash */
    char *namespace_;      /* never NULL */
    char *context;         /* for people: the context's name, or "in-cluster" */
    char *tls_server_name; /* NULL: the server's host */
    char *proxy_url;
    bool insecure_skip_tls_verify;
    char *ca_file; /* re-read; NULL if ca_data or the system's */
    char *ca_data; /* PEM */
    char *cert_file, *key_file;
    char *cert_data, *key_data; /* PEM; the key is wiped when freed */
    char *token, *token_file;   /* the file wins and is re-read */
    char *username, *password;
    struct kubeconfig_exec *exec; /* or NULL */
};

/** `path`: one file that must exist (--kubeconfig); NULL: $KUBECONFIG as a list, then in-cluster credentials if
 *  KUBERNETES_SERVICE_HOST and _PORT are set, then ~/.kube/config. `context` NULL: current-context.
 *  Faults name the file, the entry and the field. */
int kubeconfig_load(const char *path, const char *context, struct kubeconfig **ret_config, struct fault *f);

/** The same from texts that were read already (pure, for tests and fuzzing): `files` are paths, for relative names
 *  and messages. */
int kubeconfig_parse(const char *const files[], const char *const texts[], int n, const char *context,
                     struct kubeconfig **ret_config, struct fault *f);

void kubeconfig_free(struct kubeconfig *c); /* NULL is fine */
DEFINE_CLEANUP(struct kubeconfig, kubeconfig_free)
