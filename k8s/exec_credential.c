#include "k8s/exec_credential.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/field.h"
#include "base/mem.h"
#include "k8s/kubeconfig.h"
#include "k8s/pod_time.h"
#include "k8s/put.h"

enum { DEPTH = 32, TEXT_MAX = 1 << 20 };

static void add_cluster(struct json_object *spec, const struct kubeconfig *c, const char *ca)
{
    struct json_object *o = put_object(spec, "cluster");
    struct fault ignored = FAULT_INIT;
    _cleanup_(buf_release)
    struct buf b = BUF_INIT(4 * TEXT_MAX);

    put_text(o, "server", c->server);
    put_text(o, "tls-server-name", c->tls_server_name);
    if (c->insecure_skip_tls_verify)
        put_flag(o, "insecure-skip-tls-verify", true);
    if (ca && digest_base64_encode(ca, strlen(ca), &b, &ignored) == 0)
        put_text(o, "certificate-authority-data", buf_str(&b));
    put_text(o, "proxy-url", c->proxy_url);
    if (c->exec->cluster_config)
        put_value(o, "config", json_object_get(c->exec->cluster_config));
}

char *exec_info(const struct kubeconfig *config, const char *ca)
{
    _cleanup_(field_putp)
    struct json_object *root = json_object_new_object();
    struct json_object *spec;

    put_text(root, "apiVersion", config->exec->api_version);
    put_text(root, "kind", "ExecCredential");
    spec = put_object(root, "spec");
    put_flag(spec, "interactive", false);
    if (config->exec->provide_cluster_info)
        add_cluster(spec, config, ca);
    return mem_string(json_object_to_json_string_ext(root, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
}

static int check_head(struct json_object *root, const char *api_version, struct fault *f)
{
    const char *kind = "", *version = "";

    if (!json_object_is_type(root, json_type_object))
        return fault_set(f, FAULT_INVALID, "printed no JSON object");
    if (field_string(root, "kind", FIELD_REQUIRED, 100, &kind, f) < 0 ||
        field_string(root, "apiVersion", FIELD_REQUIRED, 100, &version, f) < 0)
        return -1;
    if (strcmp(kind, "ExecCredential") != 0)
        return fault_set(f, FAULT_INVALID, "printed a %.40s, not an ExecCredential", kind);
    if (strcmp(version, api_version) != 0)
        return fault_set(f, FAULT_INVALID, "answered in %.64s, but was asked in %.64s", version, api_version);
    return 0;
}

static int check_token(const char *token, struct fault *f)
{
    for (; token && *token; token++)
        if ((unsigned char)*token <= ' ' || *token == 0x7f)
            return fault_set(f, FAULT_INVALID, "its token holds white space or a control character");
    return 0;
}

static int read_status(struct json_object *status, struct exec_credential *ret, struct fault *f)
{
    const char *token = NULL, *cert = NULL, *key = NULL, *expires = NULL;

    if (field_string(status, "token", FIELD_OPTIONAL, TEXT_MAX, &token, f) < 0 || check_token(token, f) < 0 ||
        field_string(status, "clientCertificateData", FIELD_OPTIONAL, TEXT_MAX, &cert, f) < 0 ||
        field_string(status, "clientKeyData", FIELD_OPTIONAL, TEXT_MAX, &key, f) < 0 ||
        field_string(status, "expirationTimestamp", FIELD_OPTIONAL, 64, &expires, f) < 0)
        return -1;
    if (!(token && *token) && !(cert && *cert) && !(key && *key))
        return fault_set(f, FAULT_INVALID, "printed neither a token nor a certificate");
    if (!(cert && *cert) != !(key && *key))
        return fault_set(f, FAULT_INVALID, "printed a certificate without its key, or a key without its certificate");
    if (expires && pod_time(expires) == 0)
        return fault_set(f, FAULT_INVALID, "its expirationTimestamp \"%.40s\" is no time", expires);
    ret->token = token && *token ? mem_string(token) : NULL;
    ret->cert = cert && *cert ? mem_string(cert) : NULL;
    ret->key = key && *key ? mem_string(key) : NULL;
    ret->expires_ms = pod_time(expires);
    return 0;
}

int exec_parse(const char *output, size_t len, const char *api_version, struct exec_credential *ret, struct fault *f)
{
    _cleanup_(field_putp)
    struct json_object *root = NULL;
    struct json_object *status = NULL;

    if (field_parse(output, len, DEPTH, &root, f) < 0 || check_head(root, api_version, f) < 0 ||
        field_object(root, "status", FIELD_REQUIRED, &status, f) < 0)
        return -1;
    return read_status(status, ret, f);
}

static void free_secret(char *s)
{
    if (s)
        mem_wipe(s, strlen(s));
    free(s);
}

void exec_credential_release(struct exec_credential *c)
{
    free_secret(c->token);
    free_secret(c->key);
    free(c->cert);
    *c = (struct exec_credential){0};
}
