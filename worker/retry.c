#include "worker/retry.h"

#include <string.h>

enum { BASE_MS = 1000, QUOTA_BASE_MS = 5000, CAP_MS = 30000 };

static int64_t backoff(int64_t base, int used, uint32_t random)
{
    int64_t ms = base;

    while (used-- > 0 && ms < CAP_MS)
        ms *= 2;
    if (ms > CAP_MS)
        ms = CAP_MS;
    return ms - (int64_t)(((uint64_t)random * (uint64_t)(ms / 2)) >> 32);
}

static bool covered(char *const *on, const char *name)
{
    if (!on)
        return true;
    for (; *on; on++)
        if (strcmp(*on, name) == 0)
            return true;
    return false;
}

static bool ours_worth_it(const struct retry_case *c)
{
    return !c->hopeless && c->reason != REASON_POISON && c->reason != REASON_INTERNAL &&
           (covered(c->on, status_name(c->status)) || covered(c->on, reason_name(c->reason)));
}

struct retry_plan retry_decide(const struct retry_case *c, uint32_t random)
{
    struct retry_plan plan = {0};

    if (c->status == STATUS_INFRA_ERROR) {
        if ((c->reason == REASON_QUOTA || c->access) && !c->hopeless && c->waited_ms < QUOTA_PATIENCE_MS) {
            plan = (struct retry_plan){true, CHARGE_NOTHING, backoff(QUOTA_BASE_MS, 0, random)};
        } else if (c->infra_used < (int)c->infra && ours_worth_it(c)) {
            plan = (struct retry_plan){true, CHARGE_INFRA, backoff(BASE_MS, c->infra_used, random)};
        }
    } else if (status_is_code(c->status) && c->status != STATUS_OK) {
        if (c->code_used < (int)c->code && covered(c->on, status_name(c->status)))
            plan = (struct retry_plan){true, CHARGE_CODE, backoff(BASE_MS, c->code_used, random)};
    }
    if (plan.delay_ms >= c->left_ms)
        plan.again = false;
    return plan;
}
