/* What it means when a probe ended so and not otherwise. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "worker/probe.h"

enum { EXPECTED_CODE = 3, SURE_S = 4 /* what has printed nothing after so long is not just slow */ };

static const struct report_stream nothing = {.bytes = (char *)""};

static const struct report_stream *out_of(const struct probe_end *e)
{
    return e->report && e->report->run ? &e->report->run->out : &nothing;
}

static const struct report_stream *err_of(const struct probe_end *e)
{
    return e->report && e->report->run ? &e->report->run->err : &nothing;
}

static bool is_text(const struct report_stream *s, const char *text)
{
    return s->len == strlen(text) && memcmp(s->bytes, text, s->len) == 0;
}

/* --- our side, and what it refused ------------------------------------------------------------------------------- */

/* clang-format off */
static const struct {
    enum reason reason;
    const char *advice;
} advice_for[] = {
    {REASON_ADMISSION,     "see what the namespace admits: Pod Security, LimitRange, RuntimeClasses and the account's rights, against the settings runtime-class, service-account, priority-class, seccomp, run-as"},
    {REASON_QUOTA,         "raise the namespace's ResourceQuota, or wait until something ends"},
    {REASON_API,           "see whether the API server answers, and whether the account has the rights of deploy/'s Role"},
    {REASON_UNSCHEDULABLE, "see why no node takes the pod: settings node-arch, runtime-class, gvisor-toleration, cpu-request, memory-request; nodes that are full"},
    {REASON_IMAGE_PULL,    "see whether the nodes can pull the image: setting language"},
    {REASON_MOUNT,         "see whether the runner's ConfigMap is there and the kubelet can read it"},
    {REASON_START,         "see that the image has what its language runs (setting language), that node-arch is the nodes' and that the Job controller runs"},
    {REASON_LOG_LOST,      "see that the kubelets' logs can be read: the account's right on pods/log, the way from the API server to the nodes"},
};
/* clang-format on */

static void advise(struct finding *ret, enum reason reason)
{
    for (size_t i = 0; i < COUNT_OF(advice_for); i++)
        if (advice_for[i].reason == reason)
            finding_advise(ret, "%s", advice_for[i].advice);
}

/* The cluster did not get so far that the probe could tell anything. */
static bool judge_ours(const struct probe_end *e, struct finding *ret)
{
    const struct verdict *v = e->verdict;

    if (v->status == STATUS_TIMEOUT && !e->report) { /* a node that does not get round to anything */
        finding_set(ret, FINDING_PASSING, "the node does not get round to ending it: %s", v->message);
        finding_advise(ret, "see whether the nodes are overloaded");
        return true;
    }
    if (v->status != STATUS_INFRA_ERROR && v->status != STATUS_REJECTED)
        return false;
    finding_set(ret, v->hopeless ? FINDING_BAD : FINDING_PASSING, "%s%s%s: %s", status_name(v->status),
                v->reason ? " " : "", reason_name(v->reason), v->message);
    advise(ret, v->reason);
    return true;
}

static void describe(const struct probe_end *e, const char *what, struct finding *ret)
{
    const struct verdict *v = e->verdict;
    const struct report_stream *out = out_of(e), *err = err_of(e);
    char ended[32] = "";

    if (v->exit_code >= 0)
        snprintf(ended, sizeof(ended), ", exit code %d", v->exit_code);
    else if (v->signal >= 0)
        snprintf(ended, sizeof(ended), ", signal %d", v->signal);
    finding_set(ret, FINDING_BAD, "%s arrived as %s%s%s%s, stdout \"%.40s\", stderr \"%.100s\"%s%.80s", what,
                status_name(v->status), v->reason ? " " : "", reason_name(v->reason), ended, out->bytes, err->bytes,
                *v->message ? ": " : "", v->message);
}

/* --- each kind ---------------------------------------------------------------------------------------------------- */

static void judge_language(const struct probe *p, const struct probe_end *e, struct finding *ret)
{
    const struct report_stream *out = out_of(e), *err = err_of(e);

    if (e->verdict->status == STATUS_NONZERO_EXIT && e->verdict->exit_code == EXPECTED_CODE && is_text(out, "out\n") &&
        is_text(err, "err\n")) {
        finding_set(ret, FINDING_WELL, "exit code, stdout and stderr arrive as they were");
        return;
    }
    describe(e, "exit code 3, \"out\" and \"err\"", ret);
    if (strstr(out->bytes, "err") || strstr(err->bytes, "out"))
        finding_advise(ret,
                       "the streams are mixed: nothing may stand between the runner and the code (the image's "
                       "command for %s, a shim of the runtime class)",
                       p->language);
    else
        finding_advise(ret,
                       "the image of language %s must run a plain program with its presets: settings language, "
                       "compile-timeout, memory, cpu",
                       p->language);
}

static void judge_timeout(const struct probe_end *e, struct finding *ret)
{
    bool printed = is_text(out_of(e), "out\n");

    if (e->verdict->status == STATUS_TIMEOUT && printed) {
        finding_set(ret, FINDING_WELL, "ended in time, what it had printed is there");
    } else if (e->verdict->status == STATUS_TIMEOUT && e->timeout_s < SURE_S) {
        finding_set(ret, FINDING_PASSING, "ended in time, but had printed nothing within %lld s: slow, or lost",
                    (long long)e->timeout_s);
        finding_advise(ret, "see whether the nodes are overloaded, or the setting cpu is too small");
    } else {
        describe(e, "a program that runs for too long", ret);
        finding_advise(ret, "what is ended for its time must keep what it printed: see whether the nodes are "
                            "overloaded, whether the pod is killed from outside, and the setting cpu");
    }
}

static void judge_memory(const struct probe_end *e, struct finding *ret)
{
    switch (e->verdict->status) {
    case STATUS_OOM:
        finding_set(ret, FINDING_WELL, "too much memory is reported as oom");
        return;
    case STATUS_OK:
    case STATUS_TIMEOUT:
        finding_set(ret, FINDING_BAD, "256 MiB were held under a limit of 128 MiB: memory limits are not enforced");
        finding_advise(ret, "the nodes (cgroups, without swap) or the runtime class must enforce limits.memory");
        return;
    default:
        describe(e, "a program out of memory", ret);
        finding_advise(ret, "an out-of-memory kill must show as OOMKilled in the pod's status: see kubelet, container "
                            "runtime and the runtime class's shim; users would take it for a fault of their code");
    }
}

/* The next line that begins with `word`, behind the word, or NULL. The line's end becomes a NUL. */
static char *line_with(char **rest, const char *word)
{
    while (*rest && **rest) {
        char *line = *rest, *end = strchr(line, '\n');

        *rest = end ? end + 1 : line + strlen(line);
        if (end)
            *end = '\0';
        if (strncmp(line, word, strlen(word)) == 0)
            return line + strlen(word);
    }
    return NULL;
}

static bool has_line(const char *text, const char *word)
{
    _cleanup_free_ char *copy = mem_string(text);
    char *rest = copy;

    return line_with(&rest, word) != NULL;
}

static void judge_unseen(const struct probe_end *e, struct finding *ret)
{
    if (e->report && !e->report->network) {
        finding_set(ret, FINDING_WELL, "the runner gives the code no network (the image has nothing to look with)");
    } else {
        finding_set(ret, FINDING_WARNING, "could not look: %s%s%.80s", status_name(e->verdict->status),
                    *e->verdict->message ? ": " : "", e->verdict->message);
        finding_advise(ret, "have python in the setting canary, or look yourself whether the pods have a network");
    }
}

static void judge_network(const struct config *c, const struct probe_end *e, struct finding *ret)
{
    _cleanup_free_ char *text = mem_string(out_of(e)->bytes);
    char *rest = text, *line, open[256] = "";

    if (e->verdict->status != STATUS_OK || !has_line(text, "looked")) {
        judge_unseen(e, ret);
        return;
    }
    while ((line = line_with(&rest, "open ")))
        snprintf(open + strlen(open), sizeof(open) - strlen(open), "%s%s", *open ? ", " : "", line);
    if (!*open) {
        finding_set(ret, FINDING_WELL, "closed%s", e->report->network ? "" : " by the runner");
        return;
    }
    finding_set(ret, c->allow_open_network ? FINDING_WARNING : FINDING_BAD, "open from inside the pod: %s", open);
    finding_advise(ret,
                   c->allow_open_network
                       ? "the setting allow-open-network lets it pass: the code can reach all that"
                       : "close it: a NetworkPolicy that the cluster's plugin enforces (deploy/), or a RuntimeClass "
                         "without network; or accept it with allow-open-network = true");
}

void probe_judge(const struct probe *p, const struct config *c, const struct probe_end *e, struct finding *ret)
{
    /* That nothing but an exit code came back is what the memory probe is there to find. */
    if (!(p->kind == PROBE_MEMORY && e->killed) && judge_ours(e, ret))
        return;
    switch (p->kind) {
    case PROBE_LANGUAGE:
        judge_language(p, e, ret);
        break;
    case PROBE_TIMEOUT:
        judge_timeout(e, ret);
        break;
    case PROBE_MEMORY:
        judge_memory(e, ret);
        break;
    case PROBE_NETWORK:
        judge_network(c, e, ret);
        break;
    }
}

/* --- the kernel ------------------------------------------------------------------------------------------------- */

/* gVisor says "4.19.0-gvisor", or, up to 2025, that it was built in a certain second of 2016. */
static bool is_gvisor(const char *kernel)
{
    return strstr(kernel, "gvisor") || strstr(kernel, "Sun Jan 10 15:06:54 PST 2016");
}

bool probe_judge_runtime(const struct config *c, const struct probe_end *e, struct finding *ret)
{
    _cleanup_free_ char *text = mem_string(out_of(e)->bytes);
    char *rest = text, *kernel = line_with(&rest, "kernel ");
    bool wanted = strstr(c->runtime_class, "gvisor") || strstr(c->runtime_class, "runsc");

    if (!kernel || !*kernel || (!wanted && !is_gvisor(kernel)))
        return false;
    if (is_gvisor(kernel)) {
        finding_set(ret, FINDING_WELL, "the code runs under gVisor");
        return true;
    }
    finding_set(ret, FINDING_WARNING, "runtime-class is %.60s, but the kernel does not look like gVisor's: %.100s",
                c->runtime_class, kernel);
    finding_advise(ret,
                   "see that the handler of RuntimeClass %.60s is runsc on the nodes: otherwise the code shares "
                   "their kernel",
                   c->runtime_class);
    return true;
}
