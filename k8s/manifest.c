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
#include "base/utf8.h"
#include "k8s/put.h"

enum {
    DEADLINE_MARGIN_S = 180, /* behind the worker, which by default waits up to 160 s longer than the code may run */
    JOB_MARGIN_S = 600,      /* over the pod's own deadline: only for a pod that never came */
    NODE_LOST_S = 20,        /* until a pod on a silent node is given up; the cluster's default is 300 */
    CODE_MODE = 0444,
    RUNNER_MODE = 0555,
    DATA_MAX = 1048576, /* of a ConfigMap, decoded [kubernetes pkg/apis/core/validation] */
    MANIFEST_MAX = 4 << 20,
    DISK_REQUEST = 64 << 20, /* what the scheduler is asked for at most: the limit is what holds */
};

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

    put_text(o, LABEL_APP, "execq");
    put_text(o, LABEL_WORKER, m->worker);
    put_text(o, LABEL_UID, m->uid);
    put_text(o, LABEL_NETWORK, m->network ? "true" : "false");
    if (pod) /* a second container would keep the pod from ending, and would see what ours sends */
        put_text(o, "sidecar.istio.io/inject", "false");
}

static void annotations(struct json_object *meta, const struct manifest *m)
{
    struct json_object *o = put_object(meta, "annotations");

    put_text(o, ANNOTATION_ID, m->id);
    put_text(o, ANNOTATION_QUEUE, m->queue);
    put_text(o, ANNOTATION_DIGEST, m->digest);
    put_text(o, ANNOTATION_TOKEN, m->token);
}

static void pod_annotations(struct json_object *meta, const struct manifest *m)
{
    struct json_object *o = put_object(meta, "annotations");

    put_text(o, ANNOTATION_ID, m->id);
    put_text(o, "cluster-autoscaler.kubernetes.io/safe-to-evict", "false");
    put_text(o, "karpenter.sh/do-not-disrupt", "true");
    put_text(o, "linkerd.io/inject", "disabled");
    put_text(o, "sidecar.istio.io/inject", "false");
}

static void identity(struct json_object *security, const struct manifest *m)
{
    put_flag(security, "runAsNonRoot", true);
    put_number(security, "runAsUser", m->run_as);
    put_number(security, "runAsGroup", m->run_as);
    if (m->seccomp)
        put_text(put_object(security, "seccompProfile"), "type", "RuntimeDefault");
}

static void container_security(struct json_object *c, const struct manifest *m)
{
    struct json_object *o = put_object(c, "securityContext");

    identity(o, m);
    put_flag(o, "allowPrivilegeEscalation", false);
    put_flag(o, "readOnlyRootFilesystem", true);
    append_text(put_array(put_object(o, "capabilities"), "drop"), "ALL");
}

static void amounts(struct json_object *o, int64_t cpu_milli, int64_t memory, int64_t disk)
{
    char s[32];

    snprintf(s, sizeof(s), "%lldm", (long long)cpu_milli);
    put_text(o, "cpu", s);
    snprintf(s, sizeof(s), "%lld", (long long)memory);
    put_text(o, "memory", s);
    snprintf(s, sizeof(s), "%lld", (long long)disk);
    put_text(o, "ephemeral-storage", s);
}

static void resources(struct json_object *c, const struct manifest *m)
{
    struct json_object *o = put_object(c, "resources");
    int64_t memory = m->memory_request_bytes > 0 ? m->memory_request_bytes : m->memory_bytes;

    amounts(put_object(o, "limits"), m->cpu_milli, m->memory_bytes, m->disk_bytes);
    amounts(put_object(o, "requests"), m->cpu_request_milli > 0 ? m->cpu_request_milli : m->cpu_milli, memory,
            m->disk_bytes < DISK_REQUEST ? m->disk_bytes : DISK_REQUEST);
}

/* What every program may count on; what the request asks for comes over it in the runner's plan. */
static void environment(struct json_object *c)
{
    static const struct {
        const char *name, *value;
    } base[] = {
        {"HOME", "/tmp"},
        {"TMPDIR", "/tmp"},
        {"XDG_CACHE_HOME", "/tmp/.cache"},
        {"MPLCONFIGDIR", "/tmp/.matplotlib"},
        {"PYTHONDONTWRITEBYTECODE", "1"},
        {"LANG", "C.UTF-8"},
    };
    struct json_object *list = put_array(c, "env");

    for (size_t i = 0; i < COUNT_OF(base); i++) {
        struct json_object *o = append_object(list);

        put_text(o, "name", base[i].name);
        put_text(o, "value", base[i].value);
    }
}

static void command(struct json_object *c, const char *const *argv)
{
    struct json_object *a = put_array(c, "command");

    for (; argv && *argv; argv++)
        json_object_array_add(a, literal(*argv));
}

static void mount(struct json_object *list, const char *name, const char *path, bool read_only)
{
    struct json_object *o = append_object(list);

    put_text(o, "name", name);
    put_text(o, "mountPath", path);
    if (read_only)
        put_flag(o, "readOnly", true);
}

static void container(struct json_object *spec, const struct manifest *m)
{
    struct json_object *c = append_object(put_array(spec, "containers")), *mounts;

    put_text(c, "name", MANIFEST_CONTAINER);
    put_text(c, "image", m->image);
    put_text(c, "imagePullPolicy", "IfNotPresent");
    command(c, m->argv);
    put_text(c, "workingDir", "/work");
    environment(c);
    resources(c, m);
    container_security(c, m);
    put_text(c, "terminationMessagePath", "/dev/termination-log");
    put_text(c, "terminationMessagePolicy", "File");
    mounts = put_array(c, "volumeMounts");
    mount(mounts, "code", MANIFEST_CODE_DIR, true);
    if (given(m->runner_map))
        mount(mounts, "runner", MANIFEST_RUNNER_DIR, true);
    mount(mounts, "tmp", "/tmp", false);
    mount(mounts, "work", "/work", false);
}

static void scratch(struct json_object *list, const char *name, int64_t bytes)
{
    struct json_object *o = append_object(list);
    char s[32];

    snprintf(s, sizeof(s), "%lld", (long long)bytes);
    put_text(o, "name", name);
    put_text(put_object(o, "emptyDir"), "sizeLimit", s);
}

static struct json_object *from_map(struct json_object *list, const char *name, const char *map, int mode)
{
    struct json_object *o = append_object(list), *source;

    put_text(o, "name", name);
    source = put_object(o, "configMap");
    put_text(source, "name", map);
    put_number(source, "defaultMode", mode);
    return source;
}

static void runner(struct json_object *list, const struct manifest *m)
{
    struct json_object *source, *item;

    if (!given(m->runner_map))
        return;
    source = from_map(list, "runner", m->runner_map, RUNNER_MODE);
    item = append_object(put_array(source, "items"));
    put_text(item, "key", m->runner_key);
    put_text(item, "path", "runner");
}

static void volumes(struct json_object *spec, const struct manifest *m)
{
    struct json_object *list = put_array(spec, "volumes");

    from_map(list, "code", m->name, CODE_MODE);
    runner(list, m);
    scratch(list, "tmp", m->disk_bytes);
    scratch(list, "work", m->disk_bytes);
}

static void tolerate(struct json_object *list, const char *key, const char *value, const char *effect, int seconds)
{
    struct json_object *o = append_object(list);

    put_text(o, "key", key);
    put_text(o, "operator", value ? "Equal" : "Exists");
    if (value)
        put_text(o, "value", value);
    put_text(o, "effect", effect);
    if (seconds)
        put_number(o, "tolerationSeconds", seconds);
}

static void placement(struct json_object *spec, const struct manifest *m)
{
    struct json_object *list = put_array(spec, "tolerations");

    tolerate(list, "node.kubernetes.io/not-ready", NULL, "NoExecute", NODE_LOST_S);
    tolerate(list, "node.kubernetes.io/unreachable", NULL, "NoExecute", NODE_LOST_S);
    if (m->gvisor_toleration)
        tolerate(list, "sandbox.gke.io/runtime", "gvisor", "NoSchedule", 0);
    if (given(m->runtime_class))
        put_text(spec, "runtimeClassName", m->runtime_class);
    if (given(m->priority_class))
        put_text(spec, "priorityClassName", m->priority_class);
    if (given(m->node_arch))
        put_text(put_object(spec, "nodeSelector"), "kubernetes.io/arch", m->node_arch);
}

/* Without the network a name server is a way out: the address given in place of the cluster's is the pod's own
 * loopback, where nobody listens. */
static void dns(struct json_object *spec, const struct manifest *m)
{
    if (m->network)
        return;
    put_text(spec, "dnsPolicy", "None");
    append_text(put_array(put_object(spec, "dnsConfig"), "nameservers"), "127.0.0.1");
}

static int64_t pod_deadline_s(const struct manifest *m)
{
    return m->start_s + m->run_s + DEADLINE_MARGIN_S;
}

static void pod(struct json_object *template, const struct manifest *m)
{
    struct json_object *meta = put_object(template, "metadata"), *spec = put_object(template, "spec");

    labels(meta, m, true);
    pod_annotations(meta, m);
    put_text(spec, "restartPolicy", "Never");
    put_number(spec, "activeDeadlineSeconds", pod_deadline_s(m));
    put_number(spec, "terminationGracePeriodSeconds", 1);
    put_text(spec, "serviceAccountName", given(m->service_account) ? m->service_account : "default");
    put_flag(spec, "automountServiceAccountToken", false);
    put_flag(spec, "enableServiceLinks", false);
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
    struct json_object *root = json_object_new_object(), *meta;

    put_text(root, "apiVersion", api);
    put_text(root, "kind", kind);
    meta = put_object(root, "metadata");
    put_text(meta, "name", m->name);
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
    put_number(spec, "backoffLimit", 0);
    put_number(spec, "completions", 1);
    put_number(spec, "parallelism", 1);
    /* Past every other deadline: it deletes the pod, log and all. Without it a Job whose pod is never admitted
     * would never end, and so never expire. */
    put_number(spec, "activeDeadlineSeconds", m->start_s + pod_deadline_s(m) + JOB_MARGIN_S);
    put_number(spec, "ttlSecondsAfterFinished", m->ttl_s);
    pod(put_object(spec, "template"), m);
    return write_out(root, out, f);
}

static void owner(struct json_object *meta, const struct manifest *m, const char *job_uid)
{
    struct json_object *o = append_object(put_array(meta, "ownerReferences"));

    /* No blockOwnerDeletion: it would need a right on the Job's finalizers in some clusters. */
    put_text(o, "apiVersion", "batch/v1");
    put_text(o, "kind", "Job");
    put_text(o, "name", m->name);
    put_text(o, "uid", job_uid);
}

static int check_file(const struct manifest_file *file, size_t *total, struct fault *f)
{
    if (!text_is_name(file->name, 253, "-_.") || strcmp(file->name, ".") == 0 || strncmp(file->name, "..", 2) == 0)
        return fault_set(f, FAULT_INVALID, "\"%.64s\" cannot be a file of a ConfigMap", file->name);
    *total += strlen(file->name) + file->len;
    if (*total > DATA_MAX)
        return fault_set(f, FAULT_TOO_BIG, "files of %zu bytes; a ConfigMap holds %d", *total, DATA_MAX);
    return 0;
}

static int binary(struct json_object *to, const struct manifest_file *file, struct fault *f)
{
    _cleanup_(buf_release)
    struct buf b = BUF_INIT(2 * DATA_MAX);

    if (digest_base64_encode(file->bytes, file->len, &b, f) < 0)
        return -1;
    put_value(to, file->name, json_object_new_string_len(buf_str(&b), (int)b.len));
    return 0;
}

/* Text stays readable for people who look at the ConfigMap; unless it has much that JSON writes with six characters:
 * an API server takes 3 MiB [kubernetes apiserver MaxRequestBodyBytes]. */
static bool is_readable(const struct manifest_file *file)
{
    size_t control = 0;

    for (size_t i = 0; i < file->len; i++)
        control += (unsigned char)file->bytes[i] < ' ' && !memchr("\n\t\r", file->bytes[i], 3);
    return control <= file->len / 8 && utf8_is_valid(file->bytes, file->len);
}

static int put_files(struct json_object *root, const struct manifest_file *files, size_t count, struct fault *f)
{
    struct json_object *text = NULL, *bytes = NULL;
    size_t total = 0;

    for (const struct manifest_file *file = files; file < files + count; file++) {
        if (check_file(file, &total, f) < 0)
            return -1;
        if (is_readable(file)) {
            text = text ? text : put_object(root, "data");
            put_value(text, file->name, json_object_new_string_len(file->bytes, (int)file->len));
        } else {
            bytes = bytes ? bytes : put_object(root, "binaryData");
            if (binary(bytes, file, f) < 0)
                return -1;
        }
    }
    return 0;
}

int manifest_configmap(const struct manifest *m, const char *job_uid, struct buf *out, struct fault *f)
{
    _cleanup_(field_putp)
    struct json_object *root = NULL;
    struct json_object *meta;

    if (check(m, f) < 0)
        return -1;
    root = head("v1", "ConfigMap", m, &meta);
    if (given(job_uid))
        owner(meta, m, job_uid);
    put_flag(root, "immutable", true);
    if (put_files(root, m->files, m->file_count, f) < 0)
        return -1;
    return write_out(root, out, f);
}

int manifest_runner_map(const char *name, const struct manifest_file *files, size_t count, struct buf *out,
                        struct fault *f)
{
    _cleanup_(field_putp)
    struct json_object *root = json_object_new_object();
    struct json_object *meta;

    put_text(root, "apiVersion", "v1");
    put_text(root, "kind", "ConfigMap");
    meta = put_object(root, "metadata");
    put_text(meta, "name", name);
    put_text(put_object(meta, "labels"), LABEL_APP, "execq");
    put_flag(root, "immutable", true);
    if (put_files(root, files, count, f) < 0)
        return -1;
    return write_out(root, out, f);
}
