#include "k8s/manifest.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/field.h"
#include "base/mem.h"
#include "base/text.h"

enum {
    DEADLINE_MARGIN_S = 30,
    JOB_MARGIN_S = 600, /* over the pod's own deadline: only for a pod that never came */
    NODE_LOST_S = 20,   /* until a pod on a silent node is given up; the cluster's default is 300 */
    CODE_MODE = 0444,
    DATA_MAX = 1048576, /* of a ConfigMap, decoded [kubernetes pkg/apis/core/validation] */
    MANIFEST_MAX = 4 << 20,
    DISK_REQUEST = 64 << 20, /* what the scheduler is asked for at most: the limit is what holds */
};

static struct json_object *object(void)
{
    return json_object_new_object();
}

static void put(struct json_object *o, const char *name, struct json_object *value)
{
    json_object_object_add(o, name, value);
}

static void text(struct json_object *o, const char *name, const char *value)
{
    put(o, name, json_object_new_string(value));
}

static void number(struct json_object *o, const char *name, int64_t value)
{
    put(o, name, json_object_new_int64(value));
}

static void flag(struct json_object *o, const char *name, bool value)
{
    put(o, name, json_object_new_boolean(value));
}

static struct json_object *put_object(struct json_object *o, const char *name)
{
    struct json_object *value = object();

    put(o, name, value);
    return value;
}

static struct json_object *put_array(struct json_object *o, const char *name)
{
    struct json_object *value = json_object_new_array();

    put(o, name, value);
    return value;
}

static struct json_object *append_object(struct json_object *array)
{
    struct json_object *value = object();

    json_object_array_add(array, value);
    return value;
}

static bool given(const char *s)
{
    return s && *s;
}

/* Kubernetes expands $(NAME) in command, args and env, and takes $$ for $: doubled, every text arrives as it was. */
static struct json_object *literal(const char *s)
{
    _cleanup_free_ char *out = mem_zero(2 * strlen(s) + 1, 1);
    size_t n = 0;

    for (; *s; s++) {
        if (*s == '$')
            out[n++] = '$';
        out[n++] = *s;
    }
    return json_object_new_string_len(out, (int)n);
}

static void labels(struct json_object *meta, const struct manifest *m, bool pod)
{
    struct json_object *o = put_object(meta, "labels");

    text(o, LABEL_APP, "execq");
    text(o, LABEL_WORKER, m->worker);
    text(o, LABEL_UID, m->uid);
    text(o, LABEL_NETWORK, m->network ? "true" : "false");
    if (pod) /* a second container would keep the pod from ending, and would see what ours sends */
        text(o, "sidecar.istio.io/inject", "false");
}

static void annotations(struct json_object *meta, const struct manifest *m)
{
    struct json_object *o = put_object(meta, "annotations");

    text(o, ANNOTATION_ID, m->id);
    text(o, ANNOTATION_QUEUE, m->queue);
    text(o, ANNOTATION_DIGEST, m->digest);
    text(o, ANNOTATION_TOKEN, m->token);
}

static void pod_annotations(struct json_object *meta, const struct manifest *m)
{
    struct json_object *o = put_object(meta, "annotations");

    text(o, ANNOTATION_ID, m->id);
    text(o, "cluster-autoscaler.kubernetes.io/safe-to-evict", "false");
    text(o, "karpenter.sh/do-not-disrupt", "true");
    text(o, "linkerd.io/inject", "disabled");
    text(o, "sidecar.istio.io/inject", "false");
}

static void identity(struct json_object *security, const struct manifest *m)
{
    flag(security, "runAsNonRoot", true);
    number(security, "runAsUser", m->run_as);
    number(security, "runAsGroup", m->run_as);
    if (m->seccomp)
        text(put_object(security, "seccompProfile"), "type", "RuntimeDefault");
}

static void container_security(struct json_object *c, const struct manifest *m)
{
    struct json_object *o = put_object(c, "securityContext");

    identity(o, m);
    flag(o, "allowPrivilegeEscalation", false);
    flag(o, "readOnlyRootFilesystem", true);
    json_object_array_add(put_array(put_object(o, "capabilities"), "drop"), json_object_new_string("ALL"));
}

static void amounts(struct json_object *o, int64_t cpu_milli, int64_t memory, int64_t disk)
{
    char s[32];

    snprintf(s, sizeof(s), "%lldm", (long long)cpu_milli);
    text(o, "cpu", s);
    snprintf(s, sizeof(s), "%lld", (long long)memory);
    text(o, "memory", s);
    snprintf(s, sizeof(s), "%lld", (long long)disk);
    text(o, "ephemeral-storage", s);
}

static void resources(struct json_object *c, const struct manifest *m)
{
    struct json_object *o = put_object(c, "resources");
    int64_t memory = m->memory_request_bytes > 0 ? m->memory_request_bytes : m->memory_bytes;

    amounts(put_object(o, "limits"), m->cpu_milli, m->memory_bytes, m->disk_bytes);
    amounts(put_object(o, "requests"), m->cpu_request_milli > 0 ? m->cpu_request_milli : m->cpu_milli, memory,
            m->disk_bytes < DISK_REQUEST ? m->disk_bytes : DISK_REQUEST);
}

static void variable(struct json_object *list, const char *name, const char *value)
{
    struct json_object *o = append_object(list);

    text(o, "name", name);
    put(o, "value", literal(value));
}

/*
 * PYTHONUNBUFFERED is not among them, though it would save the last lines of code that is killed: Python then writes
 * straight to the pipe and does not look how much of it was taken. gVisor takes 64 KiB at a time, so of one longer
 * print() the rest would be lost, without a word (seen with Python 3.11; with runc, whose pipe takes all, it is not).
 */
static void environment(struct json_object *c, const struct manifest *m)
{
    static const struct manifest_env base[] = {
        {"HOME", "/tmp"},
        {"TMPDIR", "/tmp"},
        {"XDG_CACHE_HOME", "/tmp/.cache"},
        {"MPLCONFIGDIR", "/tmp/.matplotlib"},
        {"PYTHONDONTWRITEBYTECODE", "1"},
        {"LANG", "C.UTF-8"},
    };
    struct json_object *list = put_array(c, "env");
    const struct manifest_env *e;

    for (size_t i = 0; i < COUNT_OF(base); i++) {
        for (e = m->env; e && e->name && strcmp(e->name, base[i].name) != 0; e++)
            ;
        if (!e || !e->name)
            variable(list, base[i].name, base[i].value);
    }
    for (e = m->env; e && e->name; e++)
        variable(list, e->name, e->value);
}

static void words(struct json_object *c, const char *name, const char *const *list)
{
    struct json_object *a;

    if (!list || !*list)
        return;
    a = put_array(c, name);
    for (; *list; list++)
        json_object_array_add(a, literal(*list));
}

static void mount(struct json_object *list, const char *name, const char *path, bool read_only)
{
    struct json_object *o = append_object(list);

    text(o, "name", name);
    text(o, "mountPath", path);
    if (read_only)
        flag(o, "readOnly", true);
}

static void container(struct json_object *spec, const struct manifest *m)
{
    struct json_object *c = append_object(put_array(spec, "containers")), *mounts;

    text(c, "name", MANIFEST_CONTAINER);
    text(c, "image", m->image);
    text(c, "imagePullPolicy", "IfNotPresent");
    words(c, "command", m->argv);
    words(c, "args", m->args);
    text(c, "workingDir", "/work");
    environment(c, m);
    resources(c, m);
    container_security(c, m);
    text(c, "terminationMessagePath", "/dev/termination-log");
    text(c, "terminationMessagePolicy", "File");
    mounts = put_array(c, "volumeMounts");
    mount(mounts, "code", "/app", true);
    mount(mounts, "tmp", "/tmp", false);
    mount(mounts, "work", "/work", false);
}

static void scratch(struct json_object *list, const char *name, int64_t bytes)
{
    struct json_object *o = append_object(list);
    char s[32];

    snprintf(s, sizeof(s), "%lld", (long long)bytes);
    text(o, "name", name);
    text(put_object(o, "emptyDir"), "sizeLimit", s);
}

static void volumes(struct json_object *spec, const struct manifest *m)
{
    struct json_object *list = put_array(spec, "volumes"), *o = append_object(list), *map;

    text(o, "name", "code");
    map = put_object(o, "configMap");
    text(map, "name", m->name);
    number(map, "defaultMode", CODE_MODE);
    scratch(list, "tmp", m->disk_bytes);
    scratch(list, "work", m->disk_bytes);
}

static void tolerate(struct json_object *list, const char *key, const char *value, const char *effect, int seconds)
{
    struct json_object *o = append_object(list);

    text(o, "key", key);
    text(o, "operator", value ? "Equal" : "Exists");
    if (value)
        text(o, "value", value);
    text(o, "effect", effect);
    if (seconds)
        number(o, "tolerationSeconds", seconds);
}

static void placement(struct json_object *spec, const struct manifest *m)
{
    struct json_object *list = put_array(spec, "tolerations");

    tolerate(list, "node.kubernetes.io/not-ready", NULL, "NoExecute", NODE_LOST_S);
    tolerate(list, "node.kubernetes.io/unreachable", NULL, "NoExecute", NODE_LOST_S);
    if (m->gvisor_toleration)
        tolerate(list, "sandbox.gke.io/runtime", "gvisor", "NoSchedule", 0);
    if (given(m->runtime_class))
        text(spec, "runtimeClassName", m->runtime_class);
    if (given(m->priority_class))
        text(spec, "priorityClassName", m->priority_class);
    if (given(m->node_arch))
        text(put_object(spec, "nodeSelector"), "kubernetes.io/arch", m->node_arch);
}

/* Without the network a name server is a way out: the address given in place of the cluster's is the pod's own
 * loopback, where nobody listens. */
static void dns(struct json_object *spec, const struct manifest *m)
{
    if (m->network)
        return;
    text(spec, "dnsPolicy", "None");
    json_object_array_add(put_array(put_object(spec, "dnsConfig"), "nameservers"), json_object_new_string("127.0.0.1"));
}

static int64_t pod_deadline_s(const struct manifest *m)
{
    return m->start_s + m->timeout_s + DEADLINE_MARGIN_S;
}

static void pod(struct json_object *template, const struct manifest *m)
{
    struct json_object *meta = put_object(template, "metadata"), *spec = put_object(template, "spec");

    labels(meta, m, true);
    pod_annotations(meta, m);
    text(spec, "restartPolicy", "Never");
    number(spec, "activeDeadlineSeconds", pod_deadline_s(m));
    number(spec, "terminationGracePeriodSeconds", 1);
    text(spec, "serviceAccountName", given(m->service_account) ? m->service_account : "default");
    flag(spec, "automountServiceAccountToken", false);
    flag(spec, "enableServiceLinks", false);
    identity(put_object(spec, "securityContext"), m);
    dns(spec, m);
    placement(spec, m);
    container(spec, m);
    volumes(spec, m);
}

static int check(const struct manifest *m, struct fault *f)
{
    if (!given(m->name) || strlen(m->name) > 63) /* it becomes a label of the pod */
        return fault_set(f, FAULT_INVALID, "a Job's name has 1 to 63 characters");
    if (!text_is_name(m->worker, 63, "-_.") || !text_is_name(m->uid, 63, "-_."))
        return fault_set(f, FAULT_INVALID,
                         "the worker's and the installation's id must fit a label: "
                         "1 to 63 of A-Z a-z 0-9 - _ .");
    if (m->run_as <= 0)
        return fault_set(f, FAULT_INVALID, "code never runs as root: run_as must be above 0");
    return 0;
}

static struct json_object *head(const char *api, const char *kind, const struct manifest *m,
                                struct json_object **ret_meta)
{
    struct json_object *root = object(), *meta;

    text(root, "apiVersion", api);
    text(root, "kind", kind);
    meta = put_object(root, "metadata");
    text(meta, "name", m->name);
    labels(meta, m, false);
    annotations(meta, m);
    *ret_meta = meta;
    return root;
}

static int write_out(struct json_object *root, struct buf *out, struct fault *f)
{
    size_t len;
    const char *s = json_object_to_json_string_length(root, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE,
                                                      &len);

    if (len > MANIFEST_MAX)
        return fault_set(f, FAULT_TOO_BIG, "a manifest of %zu bytes", len);
    return buf_add(out, s, len, f);
}

int manifest_job(const struct manifest *m, struct buf *out, struct fault *f)
{
    _cleanup_(field_putp)
    struct json_object *root = NULL;
    struct json_object *meta, *spec;

    if (check(m, f) < 0)
        return -1;
    root = head("batch/v1", "Job", m, &meta);
    spec = put_object(root, "spec");
    number(spec, "backoffLimit", 0);
    number(spec, "completions", 1);
    number(spec, "parallelism", 1);
    /* Past every other deadline: it deletes the pod, log and all. Without it a Job whose pod is never admitted
     * would never end, and so never expire. */
    number(spec, "activeDeadlineSeconds", m->start_s + pod_deadline_s(m) + JOB_MARGIN_S);
    number(spec, "ttlSecondsAfterFinished", m->ttl_s);
    pod(put_object(spec, "template"), m);
    return write_out(root, out, f);
}

static void owner(struct json_object *meta, const struct manifest *m, const char *job_uid)
{
    struct json_object *o = append_object(put_array(meta, "ownerReferences"));

    /* No blockOwnerDeletion: it would need a right on the Job's finalizers in some clusters. */
    text(o, "apiVersion", "batch/v1");
    text(o, "kind", "Job");
    text(o, "name", m->name);
    text(o, "uid", job_uid);
}

static int code(struct json_object *root, const struct manifest *m, struct fault *f)
{
    _cleanup_(buf_release)
    struct buf b = BUF_INIT(2 * DATA_MAX);

    if (text_is_utf8(m->code, m->code_len)) {
        put(put_object(root, "data"), m->file, json_object_new_string_len(m->code, (int)m->code_len));
        return 0;
    }
    if (digest_base64_encode(m->code, m->code_len, &b, f) < 0)
        return -1;
    put(put_object(root, "binaryData"), m->file, json_object_new_string_len(buf_str(&b), (int)b.len));
    return 0;
}

int manifest_configmap(const struct manifest *m, const char *job_uid, struct buf *out, struct fault *f)
{
    _cleanup_(field_putp)
    struct json_object *root = NULL;
    struct json_object *meta;

    if (check(m, f) < 0)
        return -1;
    if (!text_is_name(m->file, 253, "-_.") || strcmp(m->file, ".") == 0 || strncmp(m->file, "..", 2) == 0)
        return fault_set(f, FAULT_INVALID, "\"%.64s\" cannot be a file of a ConfigMap", m->file);
    if (m->code_len > DATA_MAX)
        return fault_set(f, FAULT_TOO_BIG, "code of %zu bytes; a ConfigMap holds %d", m->code_len, DATA_MAX);
    root = head("v1", "ConfigMap", m, &meta);
    if (given(job_uid))
        owner(meta, m, job_uid);
    flag(root, "immutable", true);
    if (code(root, m, f) < 0)
        return -1;
    return write_out(root, out, f);
}
