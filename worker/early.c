#include "worker/early.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "k8s/attach.h"
#include "k8s/manifest.h"
#include "k8s/refusal.h"

enum {
    GUESS_MS = 600,             /* from the node to the runner's start, before anything is known */
    MARGIN_MS = 60,             /* from there until one can attach: at first, ... */
    MARGIN_STEP_MS = 20,        /* ... by how much a try that heard nothing changes it, ... */
    MARGIN_MAX_MS = 2000,       /* ... and at most */
    STRAY_MS = 200,             /* further from the mean is out of line, ... */
    STRAYS = 3,                 /* ... unless so many are, in a row */
    LAG_MAX_MS = 1500,          /* the kubelet is not later than this: a clock is behind ours */
    LISTEN_MS = 3000,           /* code that runs for longer can wait another second */
    OPEN_MAX = 16,              /* tries at once: each is a connection of its own */
    LEFT_OUT_MAX = 31,          /* pods, after five tries or more that heard nothing */
    AGAIN_MS = 150,             /* after the first time the runner says it again, and leaves [runner/deliver.h] */
    FORBIDDEN_MS = 60000,       /* after a refusal: an API server that has just started refuses everyone for a moment */
    ENDED_MS = 100,             /* a try that was refused is by now one that came too late, not too early */
    HEARD_MAX = 2 * (4096 + 2), /* a report that fits into a termination message, with line ends, said twice */
};

struct early {
    struct loop *loop;
    struct kube *kube;
    bool vouched;
    bool told;                  /* that the right is missing; since a try that was let in */
    int64_t forbidden_until_ms; /* loop time */
    bool known;                 /* mean and deviation have been measured */
    int64_t lag_ms;             /* how soon after it, by the node's clock, an end was known here by ours, at best */
    int64_t mean_ms;            /* from the node to the runner's start */
    int64_t deviation_ms;
    int64_t margin_ms;  /* from there to the try */
    int64_t silence_ms; /* when a try last was known to have heard nothing */
    unsigned strays;    /* in a row */
    unsigned open;      /* tries under way */
    unsigned silent;    /* tries that heard nothing, in a row */
    unsigned left;      /* pods to be left out */
};

/* All times are of our clock, since 1970. */
struct early_word {
    struct early *early;
    char *pod;
    early_fn *fn;
    void *arg;
    int64_t began_ms, tried_ms, over_ms; /* 0: not (yet) */
    bool got;                            /* the report */
    bool ran_on;                         /* nothing: the code took longer than we listen */
    bool missed;                         /* nothing: it ended while we were being connected */
    struct loop_timer *timer;
    struct attach *attach;
    struct buf heard;
};

/* --- one try ----------------------------------------------------------------------------------------------------- */

/* It has had its try. */
static void hang_up(struct early_word *w)
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
        hang_up(w); /* a long report on its way to the log */
        return;
    }
    line = whole_line(&w->heard, &n);
    if (!line)
        return;
    if (report_read(line, n, REPORT_EXIT_CODE, &report, &pointer, &f) < 0 || !report ||
        report->isolation != REPORT_ISOLATION_FULL) {
        hang_up(w);
        return;
    }
    w->got = true;
    w->early->told = false;
    early_stop(w);
    w->fn(w->arg, TAKE(report));
}

/* Told once, however many were under way. */
static void on_forbidden(struct early *e, const struct fault *f)
{
    e->forbidden_until_ms = loop_now(e->loop) + FORBIDDEN_MS;
    if (!e->told)
        log_warning("no-early-results", STR("error", f->text),
                    STR("advice", "give the account the verbs get and create on pods/attach, or turn the setting "
                                  "early-results off: results come up to a second later"));
    e->told = true;
}

static void on_end(void *arg, bool opened, const struct fault *f)
{
    struct early_word *w = arg;
    struct early *e = w->early;

    w->attach = NULL;
    e->open--;
    w->ran_on = f && f->kind == FAULT_TIMEOUT && opened;
    w->missed = opened && !w->ran_on;
    log_debug("not-heard", STR("pod", w->pod), STR("why", f ? f->text : "it had ended"),
              NUM("ms", w->tried_ms - w->began_ms));
    if (opened)
        e->told = false;
    else if (f && refusal_is_forbidden(f))
        on_forbidden(e, f);
    hang_up(w);
}

static void try_now(void *arg)
{
    struct early_word *w = arg;
    struct early *e = w->early;

    if (e->open == OPEN_MAX || !early_is_allowed(e)) {
        hang_up(w);
        return;
    }
    e->open++;
    w->tried_ms = loop_wall(e->loop);
    w->attach = attach_start(e->kube, w->pod, MANIFEST_CONTAINER, LISTEN_MS, on_bytes, on_end, w);
}

/* --- what is learned --------------------------------------------------------------------------------------------- */

/* The clocks: with the least of what was seen, which is let go slowly, as clocks drift. */
static void learn_lag(struct early *e, int64_t lag_ms)
{
    if (lag_ms < e->lag_ms || lag_ms > e->lag_ms + LAG_MAX_MS)
        e->lag_ms = lag_ms;
    else
        e->lag_ms++;
}

/* A pod that waited for something else is no news; three of them are. */
static void learn_start(struct early *e, int64_t start_ms)
{
    int64_t error = start_ms - e->mean_ms, size = error < 0 ? -error : error;

    if (e->known && size > STRAY_MS && ++e->strays < STRAYS)
        return;
    if (e->known && e->strays < STRAYS) {
        e->mean_ms += error / 8;
        e->deviation_ms += (size - e->deviation_ms) / 4;
    } else {
        e->known = true;
        e->mean_ms = start_ms;
        e->deviation_ms = MARGIN_MS / 2;
    }
    e->strays = 0;
}

/* Too early and too late come to the same number, which is as good as it gets. */
static void learn_margin(struct early *e, bool late)
{
    e->margin_ms += late ? -MARGIN_STEP_MS : MARGIN_STEP_MS;
    if (e->margin_ms < 0)
        e->margin_ms = 0;
    if (e->margin_ms > MARGIN_MAX_MS)
        e->margin_ms = MARGIN_MAX_MS;
}

/* Whether this try, which heard nothing, is one that counts: a burst of pods has another moment, but is no more than
 * one such word. */
static bool counts(struct early *e, const struct early_word *w)
{
    if (w->began_ms < e->silence_ms)
        return false;
    e->silence_ms = loop_wall(e->loop);
    e->silent++;
    e->left = e->silent <= 5 ? (1u << (e->silent - 1)) - 1 : LEFT_OUT_MAX;
    return true;
}

void early_learn(struct early_word *w, const struct report *report)
{
    bool missed = w && !w->got && w->tried_ms && counts(w->early, w) && !w->ran_on;
    int64_t start, end;

    if (w && w->got)
        w->early->silent = 0;
    if (!w || !w->over_ms || !report->clock_ms)
        return;
    learn_lag(w->early, w->over_ms - report->clock_ms - (report->again ? AGAIN_MS : 0));
    end = report->clock_ms + w->early->lag_ms;
    start = end - report->wall_ms;
    if (start >= w->began_ms)
        learn_start(w->early, start - w->began_ms);
    if (missed)
        learn_margin(w->early, w->missed || w->tried_ms > end + ENDED_MS);
    log_debug("early-word", STR("pod", w->pod), STR("heard", w->got ? "yes" : "no"),
              NUM("start_ms", start - w->began_ms), NUM("end_ms", end - w->began_ms),
              NUM("tried_ms", w->tried_ms ? w->tried_ms - w->began_ms : -1), NUM("lag_ms", w->early->lag_ms),
              NUM("mean_ms", w->early->mean_ms), NUM("deviation_ms", w->early->deviation_ms),
              NUM("margin_ms", w->early->margin_ms));
}

/* --- from outside ------------------------------------------------------------------------------------------------ */

bool early_turn(struct early *e)
{
    if (!early_is_allowed(e))
        return false;
    if (e->left > 0) {
        e->left--;
        return false;
    }
    return true;
}

struct early_word *early_listen(struct early *e, bool turn, const char *pod, early_fn *fn, void *arg)
{
    struct early_word *w;

    if (!early_is_allowed(e))
        return NULL;
    w = mem_new(struct early_word);
    w->early = e;
    w->pod = mem_string(pod);
    w->fn = fn;
    w->arg = arg;
    w->began_ms = loop_wall(e->loop);
    buf_init(&w->heard, HEARD_MAX);
    if (turn)
        loop_after(e->loop, &w->timer, e->mean_ms + e->deviation_ms + e->margin_ms, try_now, w);
    return w;
}

void early_stop(struct early_word *w)
{
    if (!w || w->over_ms)
        return;
    w->over_ms = loop_wall(w->early->loop);
    hang_up(w);
}

void early_forget(struct early_word **word)
{
    struct early_word *w = TAKE(*word);

    if (!w)
        return;
    early_stop(w);
    free(w->pod);
    free(w);
}

struct early *early_new(struct loop *l, struct kube *k)
{
    struct early *e = mem_new(struct early);

    e->loop = l;
    e->kube = k;
    e->mean_ms = GUESS_MS;
    e->margin_ms = MARGIN_MS;
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
    return e->vouched && loop_now(e->loop) >= e->forbidden_until_ms;
}
