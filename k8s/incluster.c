#include "k8s/incluster.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "k8s/file.h"
#include "k8s/kubeconfig.h"
#include "k8s/url.h"

static const char *variable(const char *name)
{
    const char *value = getenv(name);

    return value && *value ? value : NULL;
}

bool incluster_is(void)
{
    return variable("KUBERNETES_SERVICE_HOST") && variable("KUBERNETES_SERVICE_PORT");
}

static int read_namespace(const char *folder, char **ret, struct fault *f)
{
    _cleanup_free_ char *path = mem_format("%s/namespace", folder);
    _cleanup_(buf_release)
    struct buf b = BUF_INIT(1024);
    struct fault ignored = FAULT_INIT;

    (void)f;
    if (file_read_trimmed(path, &b, &ignored) < 0 || b.len == 0)
        *ret = mem_string("default");
    else
        *ret = mem_string(buf_str(&b));
    return 0;
}

int incluster_load(const char *folder, struct kubeconfig **ret_config, struct fault *f)
{
    _cleanup_(kubeconfig_freep)
    struct kubeconfig *c = mem_new(struct kubeconfig);
    _cleanup_(buf_release)
    struct buf token = BUF_INIT(FILE_READ_MAX);
    _cleanup_free_ char *server = NULL, *ca = NULL;
    const char *host = variable("KUBERNETES_SERVICE_HOST"), *port = variable("KUBERNETES_SERVICE_PORT");

    if (!host || !port)
        return fault_set(f, FAULT_INVALID, "not in a cluster: KUBERNETES_SERVICE_HOST and _PORT must both be set");
    server = strchr(host, ':') ? mem_format("https://[%s]:%s", host, port) : mem_format("https://%s:%s", host, port);
    if (url_server(server, true, &c->server, f) < 0)
        return fault_wrap(f, "KUBERNETES_SERVICE_HOST and _PORT");
    c->context = mem_string("in-cluster");
    c->token_file = mem_format("%s/token", folder);
    if (file_read_trimmed(c->token_file, &token, f) < 0)
        return fault_wrap(f, "in-cluster token");
    mem_wipe(token.data, token.len);
    ca = mem_format("%s/ca.crt", folder);
    if (access(ca, R_OK) == 0)
        c->ca_file = TAKE(ca);
    if (read_namespace(folder, &c->namespace_, f) < 0)
        return -1;
    *ret_config = TAKE(c);
    return 0;
}
