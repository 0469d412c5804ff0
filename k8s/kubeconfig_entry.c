#include "k8s/kubeconfig_entry.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/field.h"
#include "base/mem.h"
#include "base/text.h"
#include "k8s/kubeconfig.h"
#include "k8s/url.h"

enum { TEXT_MAX = 1 << 20, WORDS_MAX = 1000 };

static const char exec_extension[] = "client.authentication.k8s.io/exec";

/* A text, copied; absent and empty are the same, as in kubectl. */
static int read_text(struct json_object *o, const char *name, char **ret, struct fault *f)
{
    const char *s = NULL;

    if (field_string(o, name, FIELD_OPTIONAL, TEXT_MAX, &s, f) < 0)
        return -1;
    if (s && *s)
        *ret = mem_string(s);
    return 0;
}

static int read_path(const struct kubeconfig_entry *e, struct json_object *o, const char *name, char **ret,
                     struct fault *f)
{
    const char *slash = strrchr(e->file, '/');
    _cleanup_free_ char *s = NULL;

    if (read_text(o, name, &s, f) < 0)
        return -1;
    if (s && *s != '/' && slash)
        *ret = mem_format("%.*s/%s", (int)(slash - e->file), e->file, s);
    else
        *ret = TAKE(s);
    return 0;
}

static int read_base64(struct json_object *o, const char *name, char **ret, struct fault *f)
{
    _cleanup_(buf_release)
    struct buf b = BUF_INIT(TEXT_MAX);
    const char *s = NULL;
    int result = 0;

    if (field_string(o, name, FIELD_OPTIONAL, TEXT_MAX, &s, f) < 0)
        return -1;
    if (!s || !*s)
        return 0;
    if (digest_base64_decode(s, strlen(s), &b, f) < 0)
        return fault_wrap(f, "field \"%s\"", name);
    if (b.len == 0 || memchr(b.data, '\0', b.len))
        result = fault_set(f, FAULT_INVALID, "field \"%s\" does not hold PEM", name);
    else
        *ret = mem_bytes(b.data, b.len);
    mem_wipe(b.data, b.len);
    return result;
}

/* A pair of fields of which the data beat the file. */
static int read_blob(const struct kubeconfig_entry *e, struct json_object *o, const char *file_name,
                     const char *data_name, char **ret_file, char **ret_data, struct fault *f)
{
    if (read_path(e, o, file_name, ret_file, f) < 0 || read_base64(o, data_name, ret_data, f) < 0)
        return -1;
    if (*ret_data) {
        free(*ret_file);
        *ret_file = NULL;
    }
    return 0;
}

static int read_server(struct json_object *o, struct kubeconfig *c, struct fault *f)
{
    _cleanup_free_ char *server = NULL;

    if (read_text(o, "server", &server, f) < 0)
        return -1;
    if (!server)
        return fault_set(f, FAULT_INVALID, "field \"server\" is missing");
    if (url_server(server, c->ca_file || c->ca_data || c->insecure_skip_tls_verify, &c->server, f) < 0)
        return fault_wrap(f, "field \"server\"");
    return 0;
}

static int check_proxy(const char *url, struct fault *f)
{
    static const char *const schemes[] = {"http://", "https://", "socks5://", "socks5h://"};

    for (size_t i = 0; url && i < COUNT_OF(schemes); i++)
        if (strncmp(url, schemes[i], strlen(schemes[i])) == 0)
            return 0;
    return url ? fault_set(f, FAULT_INVALID, "field \"proxy-url\" must start with http://, https:// or socks5://") : 0;
}

static int read_cluster(const struct kubeconfig_entry *e, struct kubeconfig *c, struct fault *f)
{
    struct json_object *o = e->body;

    if (read_text(o, "tls-server-name", &c->tls_server_name, f) < 0 ||
        read_text(o, "proxy-url", &c->proxy_url, f) < 0 || check_proxy(c->proxy_url, f) < 0 ||
        field_bool(o, "insecure-skip-tls-verify", FIELD_OPTIONAL, &c->insecure_skip_tls_verify, f) < 0 ||
        read_blob(e, o, "certificate-authority", "certificate-authority-data", &c->ca_file, &c->ca_data, f) < 0 ||
        read_server(o, c, f) < 0)
        return -1;
    if (c->insecure_skip_tls_verify && (c->ca_file || c->ca_data))
        return fault_set(f, FAULT_INVALID, "certificate-authority and insecure-skip-tls-verify exclude each other");
    return 0;
}

int kubeconfig_read_cluster(const struct kubeconfig_entry *e, struct kubeconfig *c, struct fault *f)
{
    return read_cluster(e, c, f) < 0 ? fault_wrap(f, "%.100s: cluster \"%.64s\"", e->file, e->name) : 0;
}

/* extensions: [{name, extension}] */
struct json_object *kubeconfig_exec_extension(const struct kubeconfig_entry *e)
{
    struct json_object *list = field_peek(e->body, "extensions"), *found = NULL;
    size_t n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;

    for (size_t i = 0; i < n; i++) {
        struct json_object *one = json_object_array_get_idx(list, i);
        const char *name = field_peek_string(one, "name");

        if (name && strcmp(name, exec_extension) == 0)
            json_object_object_get_ex(one, "extension", &found);
    }
    return json_object_get(found);
}

/* A list of texts, copied and ended by NULL. */
static int read_words(struct json_object *o, const char *name, char ***ret, struct fault *f)
{
    struct json_object *list = NULL;
    size_t n;

    if (field_array(o, name, FIELD_OPTIONAL, WORDS_MAX, &list, f) < 0)
        return -1;
    n = list ? json_object_array_length(list) : 0;
    *ret = mem_zero(n + 1, sizeof(char *));
    for (size_t i = 0; i < n; i++) {
        const char *s;

        if (field_element(list, i, TEXT_MAX, &s, f) < 0)
            return fault_wrap(f, "field \"%s\"", name);
        (*ret)[i] = mem_string(s);
    }
    return 0;
}

/* env: [{name, value}] */
static int read_env(struct json_object *o, char ***ret, struct fault *f)
{
    struct json_object *list = NULL;
    size_t n;

    if (field_array(o, "env", FIELD_OPTIONAL, WORDS_MAX, &list, f) < 0)
        return -1;
    n = list ? json_object_array_length(list) : 0;
    *ret = mem_zero(n + 1, sizeof(char *));
    for (size_t i = 0; i < n; i++) {
        struct json_object *one = json_object_array_get_idx(list, i);
        const char *name, *value = "";

        if (!json_object_is_type(one, json_type_object))
            return fault_set(f, FAULT_INVALID, "field \"env\": element [%zu] must be a mapping", i);
        if (field_string(one, "name", FIELD_REQUIRED, TEXT_MAX, &name, f) < 0 ||
            field_string(one, "value", FIELD_OPTIONAL, TEXT_MAX, &value, f) < 0)
            return fault_wrap(f, "field \"env\"");
        if (!*name || strchr(name, '='))
            return fault_set(f, FAULT_INVALID, "field \"env\": \"%.64s\" is not the name of a variable", name);
        (*ret)[i] = mem_format("%s=%s", name, value);
    }
    return 0;
}

static int read_mode(struct json_object *o, struct kubeconfig_exec *x, struct fault *f)
{
    const char *mode = NULL;
    bool v1 = strcmp(x->api_version, "client.authentication.k8s.io/v1") == 0;

    if (!v1 && strcmp(x->api_version, "client.authentication.k8s.io/v1beta1") != 0)
        return fault_set(f, FAULT_INVALID,
                         "field \"apiVersion\": \"%.64s\" is neither client.authentication.k8s.io/v1 "
                         "nor /v1beta1",
                         x->api_version);
    if (field_string(o, "interactiveMode", v1 ? FIELD_REQUIRED : FIELD_OPTIONAL, 64, &mode, f) < 0)
        return -1;
    if (mode && strcmp(mode, "Always") == 0)
        x->always_interactive = true;
    else if (mode && strcmp(mode, "Never") != 0 && strcmp(mode, "IfAvailable") != 0)
        return fault_set(f, FAULT_INVALID, "field \"interactiveMode\": must be Never, IfAvailable or Always");
    return 0;
}

static int read_exec(const struct kubeconfig_entry *e, struct json_object *o, struct kubeconfig *c, struct fault *f)
{
    struct kubeconfig_exec *x = c->exec = mem_new(struct kubeconfig_exec);
    char *command = NULL;

    if (read_text(o, "apiVersion", &x->api_version, f) < 0 || read_text(o, "command", &x->command, f) < 0)
        return -1;
    if (!x->api_version || !x->command)
        return fault_set(f, FAULT_INVALID, "fields \"apiVersion\" and \"command\" are needed");
    if (strchr(x->command, '/')) { /* a bare name is looked up in PATH */
        read_path(e, o, "command", &command, f);
        free(x->command);
        x->command = command;
    }
    if (read_mode(o, x, f) < 0 || read_words(o, "args", &x->args, f) < 0 || read_env(o, &x->env, f) < 0 ||
        field_bool(o, "provideClusterInfo", FIELD_OPTIONAL, &x->provide_cluster_info, f) < 0 ||
        read_text(o, "installHint", &x->install_hint, f) < 0)
        return -1;
    return 0;
}

static int check_user(const struct kubeconfig_entry *e, const struct kubeconfig *c, struct fault *f)
{
    static const char *const impersonation[] = {"as", "as-uid", "as-groups", "as-user-extra"};
    bool token = c->token || c->token_file, basic = c->username || c->password;

    if (json_object_object_get_ex(e->body, "auth-provider", NULL))
        return fault_set(f, FAULT_INVALID, "auth-provider is not supported (nor by kubectl since 1.26): use exec");
    for (size_t i = 0; i < COUNT_OF(impersonation); i++) /* left out it would silently give more rights than meant */
        if (json_object_object_get_ex(e->body, impersonation[i], NULL))
            return fault_set(f, FAULT_INVALID, "field \"%s\": impersonation is not supported", impersonation[i]);
    if (token && basic)
        return fault_set(f, FAULT_INVALID, "a token and a user name with password exclude each other");
    if ((c->cert_file || c->cert_data) && !c->key_file && !c->key_data)
        return fault_set(f, FAULT_INVALID, "client-certificate needs client-key or client-key-data");
    if (!(c->cert_file || c->cert_data) && (c->key_file || c->key_data))
        return fault_set(f, FAULT_INVALID, "client-key needs client-certificate or client-certificate-data");
    return 0;
}

/* What would break out of the header it is sent in. */
static int check_token(const char *token, struct fault *f)
{
    for (; token && *token; token++)
        if ((unsigned char)*token <= ' ' || *token == 0x7f)
            return fault_set(f, FAULT_INVALID, "field \"token\" holds white space or a control character");
    return 0;
}

static int read_user(const struct kubeconfig_entry *e, struct kubeconfig *c, struct fault *f)
{
    struct json_object *o = e->body, *exec = NULL;

    if (read_blob(e, o, "client-certificate", "client-certificate-data", &c->cert_file, &c->cert_data, f) < 0 ||
        read_blob(e, o, "client-key", "client-key-data", &c->key_file, &c->key_data, f) < 0 ||
        read_text(o, "token", &c->token, f) < 0 || check_token(c->token, f) < 0 ||
        read_path(e, o, "tokenFile", &c->token_file, f) < 0 || read_text(o, "username", &c->username, f) < 0 ||
        read_text(o, "password", &c->password, f) < 0 || check_user(e, c, f) < 0 ||
        field_object(o, "exec", FIELD_OPTIONAL, &exec, f) < 0)
        return -1;
    if (exec && read_exec(e, exec, c, f) < 0)
        return fault_wrap(f, "exec");
    return 0;
}

int kubeconfig_read_user(const struct kubeconfig_entry *e, struct kubeconfig *c, struct fault *f)
{
    return read_user(e, c, f) < 0 ? fault_wrap(f, "%.100s: user \"%.64s\"", e->file, e->name) : 0;
}
