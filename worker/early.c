#include "worker/early.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "k8s/attach.h"
#include "k8s/manifest.h"

enum {
    GUESS_MS = 600,       /* from the node to the runner's start, before anything is known */
    STEP_MS = 100,        /* by which a try that failed then moves the guess, at first ... */
    STEP_MIN_MS = 20,     /* ... and at least */
    SLACK_MS = 10,        /* of everything */
    FORGET = 5,           /* tries that failed, in a row */
    GUESS_MAX_MS = 5000,  /* what is later than this is looked for from the beginning */
    LISTEN_MS = 3000,     /* code that runs for longer can wait another second */
    OPEN_MAX = 16,        /* tries at once: each is a connection of its own */
    LEFT_OUT_MAX = 31,    /* pods, after yet another one */
    HEARD_MAX = 4096 + 2, /* a report that fits into a termination message, and the line ends around it */
};

struct early {
    struct loop *loop;
    struct kube *kube;
    bool vouched, forbidden;
    int64_t mean_ms, deviation_ms;
    bool known;         /* mean and deviation have been measured, not guessed */
    int64_t step_ms;    /* otherwise: the last step of the search */
    int64_t unheard_ms; /* loop time at which a try last heard nothing */
    unsigned open;      /* tries under way */
    unsigned misses;    /* in a row */
    unsigned unheard;   /* tries that heard nothing, in a row: those, and those on code that ran on */
    unsigned left;      /* pods to be left out */
};

struct early_word {
    struct early *early;
    char *pod;
    early_fn *fn;
    void *arg;
    int64_t began_ms; /* loop time */
    struct loop_timer *timer;
    struct attach *attach;
    struct buf heard;
};

/* --- when to try ------------------------------------------------------------------------------------------------- */

static void learn(struct early *e, int64_t start_ms)
{
    int64_t error = start_ms - e->mean_ms;

    if (!e->known) {
        e->known = true;
        e->mean_ms = start_ms;
        e->deviation_ms = STEP_MS / 4;
    } else {
        e->mean_ms += error / 8;
        e->deviation_ms += ((error < 0 ? -error : error) - e->deviation_ms) / 4;
    }
    e->misses = e->unheard = 0;
}

/* Nothing is known of the moment: on in the same direction by more each time, back by half of that. */
static void search(struct early *e, bool late)
{
    bool back = late == (e->step_ms > 0);

    e->step_ms = back ? -e->step_ms / 2 : e->step_ms + e->step_ms / 2;
    if (e->step_ms > -STEP_MIN_MS && e->step_ms < STEP_MIN_MS)
        e->step_ms = late ? -STEP_MIN_MS : STEP_MIN_MS;
    e->mean_ms += e->step_ms;
    if (e->mean_ms < 0 || e->mean_ms > GUESS_MAX_MS) {
        e->mean_ms = 0;
        e->step_ms = STEP_MS;
    }
}

/* What was measured stays, only how long after it to try is changed: a mean that misses moved would be the error of the
 * next ones heard, which would make for more misses. */
static void miss(struct early *e, bool late)
{
    if (++e->misses == FORGET) {
        e->known = false;
        e->deviation_ms = SLACK_MS;
        e->step_ms = (late ? -STEP_MS : STEP_MS) / 2; /* it will not be far */
    }
    if (e->known)
        e->deviation_ms += late ? -e->deviation_ms / 4 : e->deviation_ms / 4 + 1;
    else
        search(e, late);
}

/* Tries that were under way together count as one: that a burst of pods has another moment is no more than one such
 * word. Returns whether this one does. */
static bool heard_nothing(struct early *e, const struct early_word *w)
{
    if (w->began_ms < e->unheard_ms)
        return false;
    e->unheard_ms = loop_now(e->loop);
    e->unheard++;
    e->left = e->unheard <= FORGET ? (1u << (e->unheard - 1)) - 1 : LEFT_OUT_MAX;
    return true;
}

/* Late enough for nearly all, and not by more. */
static int64_t when(const struct early *e)
{
    return e->mean_ms + 2 * e->deviation_ms + SLACK_MS;
}

/* --- one try ----------------------------------------------------------------------------------------------------- */

/* It has had its try; whoever holds it cancels it when the attempt is over. */
static void close_word(struct early_word *w)
{
    loop_cancel(&w->timer);
    if (w->attach)
        w->early->open--;
    attach_cancel(&w->attach);
    buf_release(&w->heard);
}

/* The first line that is not empty, once it is whole. */
static const char *whole_line(const struct buf *b, size_t *ret_len)
{
    const char *text = buf_str(b), *line = text + strspn(text, "\n"), *end = strchr(line, '\n');

    *ret_len = end ? (size_t)(end - line) : 0;
    return end ? line : NULL;
}

static void on_bytes(void *arg, const char *bytes, size_t len)
{
    struct early_word *w = arg;
    _cleanup_(report_freep)
    struct report *report = NULL;
    struct report_pointer pointer;
    struct fault f = FAULT_INIT;
    const char *line;
    size_t n;

    if (buf_add(&w->heard, bytes, len, &f) < 0) {
        close_word(w); /* a long report on its way to the log */
        return;
    }
    line = whole_line(&w->heard, &n);
    if (!line)
        return;
    if (report_read(line, n, REPORT_EXIT_CODE, &report, &pointer, &f) < 0 || !report ||
        report->isolation != REPORT_ISOLATION_FULL) {
        close_word(w);
        return;
    }
    learn(w->early, loop_now(w->early->loop) - w->began_ms - report->wall_ms);
    close_word(w);
    w->fn(w->arg, TAKE(report));
}

/* containerd says in which state the container is that is not to be attached to: the one that tells before from after.
 */
static bool came_late(bool opened, const struct fault *f)
{
    return opened || !f || strstr(f->text, "EXITED");
}

static void on_end(void *arg, bool opened, const struct fault *f)
{
    struct early_word *w = arg;
    struct early *e = w->early;

    w->attach = NULL;
    e->open--;
    if (f && kube_is_forbidden(f)) {
        log_warning("no-early-results", STR("error", f->text),
                    STR("advice", "give the account the verbs get and create on pods/attach, or turn the setting "
                                  "early-results off: results come up to a second later"));
        e->forbidden = true;
    } else if (f && f->kind == FAULT_TIMEOUT && opened) { /* the code runs on */
        heard_nothing(e, w);
        e->misses = 0;
    } else if (heard_nothing(e, w)) {
        log_debug("early-missed", STR("pod", w->pod), STR("late", came_late(opened, f) ? "yes" : "no"),
                  STR("why", f ? f->text : "it had ended"), NUM("mean_ms", e->mean_ms), NUM("in_a_row", e->misses + 1));
        miss(e, came_late(opened, f));
    }
    close_word(w);
}

static void try_now(void *arg)
{
    struct early_word *w = arg;
    struct early *e = w->early;

    if (e->open == OPEN_MAX || !early_is_allowed(e)) {
        close_word(w);
        return;
    }
    e->open++;
    w->attach = attach_start(e->kube, w->pod, MANIFEST_CONTAINER, LISTEN_MS, on_bytes, on_end, w);
}

/* --- from outside ------------------------------------------------------------------------------------------------ */

struct early_word *early_listen(struct early *e, const char *pod, early_fn *fn, void *arg)
{
    struct early_word *w;

    if (!early_is_allowed(e))
        return NULL;
    if (e->left > 0) {
        e->left--;
        return NULL;
    }
    w = mem_new(struct early_word);
    w->early = e;
    w->pod = mem_string(pod);
    w->fn = fn;
    w->arg = arg;
    w->began_ms = loop_now(e->loop);
    buf_init(&w->heard, HEARD_MAX);
    loop_after(e->loop, &w->timer, when(e), try_now, w);
    return w;
}

void early_cancel(struct early_word **word)
{
    struct early_word *w = TAKE(*word);

    if (!w)
        return;
    if (w->timer && heard_nothing(w->early, w))
        miss(w->early, true); /* the kubelet was quicker */
    close_word(w);
    free(w->pod);
    free(w);
}

struct early *early_new(struct loop *l, struct kube *k)
{
    struct early *e = mem_new(struct early);

    e->loop = l;
    e->kube = k;
    e->mean_ms = GUESS_MS;
    e->deviation_ms = STEP_MS;
    e->step_ms = STEP_MS;
    return e;
}

void early_free(struct early *e)
{
    free(e);
}

void early_allow(struct early *e, bool yes)
{
    e->vouched = yes;
}

bool early_is_allowed(const struct early *e)
{
    return e->vouched && !e->forbidden;
}
