#include "k8s/kubeconfig.h"

#include <errno.h>
#include <json-c/json.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/field.h"
#include "base/mem.h"
#include "k8s/file.h"
#include "k8s/incluster.h"
#include "k8s/kubeconfig_entry.h"
#include "k8s/yaml.h"

enum { FILES_MAX = 64, ENTRIES_MAX = 10000, NAME_MAX_LEN = 4096 };

static const char *const list_name[] = {"clusters", "users", "contexts"};
static const char *const body_name[] = {"cluster", "user", "context"};

/* All files together: of entries of one name the first counts, whole. */
struct merged {
    struct json_object *root[FILES_MAX];
    struct kubeconfig_entry *entry;
    size_t n_entries;
    const char *current;
};

static void merged_release(struct merged *m)
{
    for (int i = 0; i < FILES_MAX; i++)
        json_object_put(m->root[i]);
    free(m->entry);
}

static const struct kubeconfig_entry *find(const struct merged *m, enum kubeconfig_part part, const char *name)
{
    for (size_t i = 0; i < m->n_entries; i++)
        if (m->entry[i].part == part && strcmp(m->entry[i].name, name) == 0)
            return &m->entry[i];
    return NULL;
}

static int add_entry(struct merged *m, const char *file, enum kubeconfig_part part, struct json_object *item,
                     struct fault *f)
{
    const struct kubeconfig_entry *other;
    struct kubeconfig_entry e = {.file = file, .part = part};

    if (!json_object_is_type(item, json_type_object))
        return fault_set(f, FAULT_INVALID, "an element is not a mapping");
    if (field_string(item, "name", FIELD_REQUIRED, NAME_MAX_LEN, &e.name, f) < 0)
        return -1;
    if (field_object(item, body_name[part], FIELD_OPTIONAL, &e.body, f) < 0)
        return fault_wrap(f, "\"%.64s\"", e.name);
    other = find(m, part, e.name);
    if (other && other->file == file)
        return fault_set(f, FAULT_INVALID, "the name \"%.64s\" stands there twice", e.name);
    if (other)
        return 0;
    if (m->n_entries >= ENTRIES_MAX)
        return fault_set(f, FAULT_TOO_BIG, "more than %d entries", ENTRIES_MAX);
    m->entry = mem_resize(m->entry, m->n_entries + 1, sizeof(e));
    m->entry[m->n_entries++] = e;
    return 0;
}

static int add_list(struct merged *m, const char *file, enum kubeconfig_part part, struct json_object *root,
                    struct fault *f)
{
    struct json_object *list = NULL;

    if (field_array(root, list_name[part], FIELD_OPTIONAL, ENTRIES_MAX, &list, f) < 0)
        return -1;
    for (size_t i = 0; list && i < json_object_array_length(list); i++)
        if (add_entry(m, file, part, json_object_array_get_idx(list, i), f) < 0)
            return fault_wrap(f, "%s", list_name[part]);
    return 0;
}

static int add_file(struct merged *m, int i, const char *file, const char *text, struct fault *f)
{
    const char *current = NULL;

    if (yaml_parse(text, strlen(text), &m->root[i], f) < 0)
        return fault_wrap(f, "%.100s", file);
    if (!m->root[i]) /* empty */
        return 0;
    if (!json_object_is_type(m->root[i], json_type_object))
        return fault_set(f, FAULT_INVALID, "%.100s: is not a kubeconfig", file);
    for (enum kubeconfig_part part = KUBECONFIG_CLUSTER; part <= KUBECONFIG_CONTEXT; part++)
        if (add_list(m, file, part, m->root[i], f) < 0)
            return fault_wrap(f, "%.100s", file);
    if (field_string(m->root[i], "current-context", FIELD_OPTIONAL, NAME_MAX_LEN, &current, f) < 0)
        return fault_wrap(f, "%.100s", file);
    if (!m->current && current && *current)
        m->current = current;
    return 0;
}

static int find_named(const struct merged *m, enum kubeconfig_part part, const char *name,
                      const struct kubeconfig_entry *from, const struct kubeconfig_entry **ret, struct fault *f)
{
    const struct kubeconfig_entry *e = find(m, part, name);

    if (!e && from)
        return fault_set(f, FAULT_INVALID, "%.100s: context \"%.64s\": there is no %s \"%.64s\"", from->file,
                         from->name, body_name[part], name);
    if (!e)
        return fault_set(f, FAULT_INVALID, "there is no context \"%.64s\"", name);
    *ret = e;
    return 0;
}

static int select_context(const struct merged *m, const char *name, struct kubeconfig *c, struct fault *f)
{
    const struct kubeconfig_entry *context, *e, *who;
    const char *cluster = NULL, *user = NULL, *namespace_ = NULL;

    if (find_named(m, KUBECONFIG_CONTEXT, name, NULL, &context, f) < 0)
        return -1;
    if (field_string(context->body, "cluster", FIELD_OPTIONAL, NAME_MAX_LEN, &cluster, f) < 0 ||
        field_string(context->body, "user", FIELD_OPTIONAL, NAME_MAX_LEN, &user, f) < 0 ||
        field_string(context->body, "namespace", FIELD_OPTIONAL, 63, &namespace_, f) < 0)
        return fault_wrap(f, "%.100s: context \"%.64s\"", context->file, name);
    c->context = mem_string(name);
    c->namespace_ = mem_string(namespace_ && *namespace_ ? namespace_ : "default");
    if (!cluster || !*cluster)
        return fault_set(f, FAULT_INVALID, "%.100s: context \"%.64s\" names no cluster", context->file, name);
    if (find_named(m, KUBECONFIG_CLUSTER, cluster, context, &e, f) < 0 || kubeconfig_read_cluster(e, c, f) < 0)
        return -1;
    if (!user || !*user) /* nobody: what the server allows to anonymous clients */
        return 0;
    if (find_named(m, KUBECONFIG_USER, user, context, &who, f) < 0 || kubeconfig_read_user(who, c, f) < 0)
        return -1;
    if (c->exec && c->exec->provide_cluster_info)
        c->exec->cluster_config = kubeconfig_exec_extension(e);
    return 0;
}

int kubeconfig_parse(const char *const files[], const char *const texts[], int n, const char *context,
                     struct kubeconfig **ret_config, struct fault *f)
{
    _cleanup_(kubeconfig_freep)
    struct kubeconfig *c = mem_new(struct kubeconfig);
    _cleanup_(merged_release)
    struct merged m = {0};

    if (n > FILES_MAX)
        return fault_set(f, FAULT_TOO_BIG, "more than %d kubeconfig files", FILES_MAX);
    for (int i = 0; i < n; i++)
        if (add_file(&m, i, files[i], texts[i], f) < 0)
            return -1;
    if (!context)
        context = m.current;
    if (!context || !*context)
        return fault_set(f, FAULT_INVALID, "%.150s: no current-context is set, and no context was asked for",
                         n > 0 ? files[0] : "no kubeconfig");
    if (select_context(&m, context, c, f) < 0)
        return -1;
    *ret_config = TAKE(c);
    return 0;
}

/* The files of a colon list or the one that must exist. */
struct files {
    char *path[FILES_MAX];
    char *text[FILES_MAX];
    int n;
};

static void files_release(struct files *s)
{
    for (int i = 0; i < s->n; i++) {
        free(s->path[i]);
        mem_wipe(s->text[i], strlen(s->text[i]));
        free(s->text[i]);
    }
}

static int add_path(struct files *s, const char *path, size_t len, bool must_exist, struct fault *f)
{
    _cleanup_free_ char *name = mem_bytes(path, len);
    _cleanup_(buf_release)
    struct buf b = BUF_INIT(YAML_TEXT_MAX);

    for (int i = 0; i < s->n; i++)
        if (strcmp(s->path[i], name) == 0)
            return 0;
    if (s->n >= FILES_MAX)
        return fault_set(f, FAULT_TOO_BIG, "more than %d kubeconfig files", FILES_MAX);
    if (!must_exist && access(name, F_OK) < 0 && errno == ENOENT)
        return 0;
    if (file_read(name, &b, f) < 0)
        return fault_wrap(f, "kubeconfig");
    if (b.len > 0 && memchr(b.data, '\0', b.len))
        return fault_set(f, FAULT_INVALID, "%.100s: holds a NUL character", name);
    s->path[s->n] = TAKE(name);
    s->text[s->n++] = buf_take(&b, NULL);
    return 0;
}

static int add_home(struct files *s, struct fault *f)
{
    const char *home = getenv("HOME");
    _cleanup_free_ char *path = NULL;

    if (!home || !*home) {
        const struct passwd *who = getpwuid(getuid());

        home = who ? who->pw_dir : "/";
    }
    path = mem_format("%s/.kube/config", home);
    if (access(path, F_OK) < 0)
        return fault_set(f, FAULT_INVALID,
                         "no cluster to talk to: no --kubeconfig, no $KUBECONFIG, not inside a "
                         "cluster, and no %.100s",
                         path);
    return add_path(s, path, strlen(path), true, f);
}

int kubeconfig_load(const char *path, const char *context, struct kubeconfig **ret_config, struct fault *f)
{
    _cleanup_(files_release)
    struct files s = {0};
    const char *list = getenv("KUBECONFIG");

    if (path) {
        if (add_path(&s, path, strlen(path), true, f) < 0)
            return -1;
    } else if (list && *list) {
        for (size_t len; *list; list += len + (list[len] == ':')) {
            len = strcspn(list, ":");
            if (len > 0 && add_path(&s, list, len, false, f) < 0)
                return -1;
        }
        if (s.n == 0)
            return fault_set(f, FAULT_INVALID, "none of the files of $KUBECONFIG exists");
    } else if (incluster_is()) {
        return incluster_load(INCLUSTER_FOLDER, ret_config, f);
    } else if (add_home(&s, f) < 0) {
        return -1;
    }
    return kubeconfig_parse((const char *const *)s.path, (const char *const *)s.text, s.n, context, ret_config, f);
}

static void free_secret(char *s)
{
    if (s)
        mem_wipe(s, strlen(s));
    free(s);
}

static void free_exec(struct kubeconfig_exec *e)
{
    if (!e)
        return;
    free(e->api_version);
    free(e->command);
    for (char **s = e->args; s && *s; s++)
        free(*s);
    for (char **s = e->env; s && *s; s++)
        free_secret(*s);
    free(e->args);
    free(e->env);
    free(e->install_hint);
    json_object_put(e->cluster_config);
    free(e);
}

static void free_plain(struct kubeconfig *c)
{
    char *const plain[] = {c->server,  c->namespace_, c->context,  c->tls_server_name, c->proxy_url,  c->ca_file,
                           c->ca_data, c->cert_file,  c->key_file, c->cert_data,       c->token_file, c->username};

    for (size_t i = 0; i < COUNT_OF(plain); i++)
        free(plain[i]);
}

void kubeconfig_free(struct kubeconfig *c)
{
    if (!c)
        return;
    free_plain(c);
    free_secret(c->key_data);
    free_secret(c->token);
    free_secret(c->password);
    free_exec(c->exec);
    free(c);
}
