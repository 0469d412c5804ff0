#include "worker/finding.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"
#include "base/utf8.h"

static const char *const names[] = {
    [FINDING_WELL] = "well", [FINDING_WARNING] = "warning", [FINDING_PASSING] = "passing", [FINDING_BAD] = "bad"};

/* One line of whole characters, whatever the cluster or a program said. */
static void print(char *into, size_t size, const char *format, va_list args) __attribute__((format(printf, 3, 0)));

static void print(char *into, size_t size, const char *format, va_list args)
{
    vsnprintf(into, size, format, args);
    into[utf8_floor(into, strlen(into))] = '\0';
    for (char *c = into; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = ' ';
}

struct finding *finding_begin(struct finding *list, size_t *count, const char *check)
{
    struct finding *f = &list[(*count)++];

    *f = (struct finding){.took_ms = -1};
    snprintf(f->check, sizeof(f->check), "%s", check);
    return f;
}

void finding_set(struct finding *f, enum finding_state state, const char *format, ...)
{
    va_list args;

    f->state = state;
    f->took_ms = -1;
    f->advice[0] = '\0';
    va_start(args, format);
    print(f->text, sizeof(f->text), format, args);
    va_end(args);
}

void finding_advise(struct finding *f, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    print(f->advice, sizeof(f->advice), format, args);
    va_end(args);
}

const char *finding_state_name(enum finding_state state)
{
    return names[state];
}

void finding_log(const struct finding *f, const char *event)
{
    enum log_level level = f->state == FINDING_BAD    ? LEVEL_ERROR
                           : f->state == FINDING_WELL ? LEVEL_INFO
                                                      : LEVEL_WARNING;

    if (*f->advice)
        log_at(level, event, STR("check", f->check), STR("state", finding_state_name(f->state)), STR("found", f->text),
               STR("do", f->advice), NUM("ms", f->took_ms), LOG_END);
    else
        log_at(level, event, STR("check", f->check), STR("state", finding_state_name(f->state)), STR("found", f->text),
               NUM("ms", f->took_ms), LOG_END);
}

enum finding_state finding_worst(const struct finding *list, size_t count)
{
    enum finding_state worst = FINDING_WELL;

    for (size_t i = 0; i < count; i++)
        if (list[i].state > worst)
            worst = list[i].state;
    return worst;
}
