#include "fake_attach.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"

static struct {
    struct loop *loop;
    struct fake_attach script;
    int count, live;
    int64_t last_ms;
} fake;

struct attach {
    struct fake_attach script;
    size_t said;
    attach_bytes_fn *on_bytes;
    attach_end_fn *on_end;
    void *arg;
    struct loop_timer *speak, *end;
    bool calling, cancelled;
};

static void release(struct attach *a)
{
    loop_cancel(&a->speak);
    loop_cancel(&a->end);
    fake.live--;
    free(a);
}

static void speak(void *arg)
{
    struct attach *a = arg;
    size_t left = strlen(a->script.bytes) - a->said;
    size_t n = a->script.piece && a->script.piece < left ? a->script.piece : left;

    a->calling = true;
    a->on_bytes(a->arg, a->script.bytes + a->said, n);
    a->calling = false;
    a->said += n;
    if (a->cancelled)
        release(a);
    else if (n < left)
        loop_after(fake.loop, &a->speak, 1, speak, a);
}

static void end(void *arg)
{
    struct attach *a = arg;
    attach_end_fn *fn = a->on_end;
    void *fn_arg = a->arg;
    struct fault f = a->script.fault;
    bool opened = a->script.opened;

    release(a);
    fn(fn_arg, opened, f.kind == FAULT_NONE ? NULL : &f);
}

struct attach *attach_start(struct kube *k, const char *pod, const char *container, int64_t limit_ms,
                            attach_bytes_fn *on_bytes, attach_end_fn *on_end, void *arg)
{
    struct attach *a = mem_new(struct attach);

    (void)k;
    (void)pod;
    (void)container;
    *a = (struct attach){.script = fake.script, .on_bytes = on_bytes, .on_end = on_end, .arg = arg};
    if (a->script.model)
        a->script.model(&a->script, loop_now(fake.loop));
    fake.count++;
    fake.live++;
    fake.last_ms = loop_now(fake.loop);
    if (a->script.end_ms < 0) {
        a->script.end_ms = limit_ms;
        fault_set(&a->script.fault, FAULT_TIMEOUT, "no answer in time");
        a->script.opened = true;
    }
    if (a->script.bytes)
        loop_after(fake.loop, &a->speak, a->script.bytes_ms, speak, a);
    loop_after(fake.loop, &a->end, a->script.end_ms, end, a);
    return a;
}

void attach_cancel(struct attach **attach)
{
    struct attach *a = TAKE(*attach);

    if (!a || a->cancelled)
        return;
    a->cancelled = true;
    if (!a->calling)
        release(a);
}

void fake_attach_is(struct loop *l, const struct fake_attach *script)
{
    fake.loop = l;
    fake.script = script ? *script : (struct fake_attach){.end_ms = -1};
    fake.count = 0;
}

int fake_attach_count(void)
{
    return fake.count;
}

int fake_attach_live(void)
{
    return fake.live;
}

int64_t fake_attach_last_ms(void)
{
    return fake.last_ms;
}
