#include "cli/progress.h"

#include <string.h>

#include "cli/terminal.h"

enum { BAR_MAX = 30, BAR_MIN = 5 };

void progress_time(int64_t ms, char *text, size_t size)
{
    long long s = (ms + 999) / 1000;

    if (s < 60)
        snprintf(text, size, "%lld s", s);
    else if (s < 3600)
        snprintf(text, size, "%lld min %02lld s", s / 60, s % 60);
    else
        snprintf(text, size, "%lld h %02lld min", s / 3600, s / 60 % 60);
}

/* What stands behind the bar. */
static void describe(const struct progress *p, int64_t now_ms, char *text, size_t size)
{
    size_t fresh = p->done - p->done_before;
    int64_t spent = now_ms - p->begun_ms;
    char left[48] = "", rate[48] = "", failed[48] = "";

    if (p->failed)
        snprintf(failed, sizeof(failed), "  %zu failed", p->failed);
    if (fresh > 0 && spent > 0) {
        double per_ms = (double)fresh / (double)spent;
        char time[40];

        snprintf(rate, sizeof(rate), "  %.1f/s", per_ms * 1000);
        if (p->done < p->total) {
            progress_time((int64_t)((double)(p->total - p->done) / per_ms), time, sizeof(time));
            snprintf(left, sizeof(left), "  %s left", time);
        }
    }
    snprintf(text, size, "%zu/%zu%s%s%s", p->done, p->total, failed, rate, left);
}

void progress_line(const struct progress *p, int64_t now_ms, int width, char *line, size_t size)
{
    char text[200], bar[BAR_MAX + 1];
    int room, filled;

    describe(p, now_ms, text, sizeof(text));
    room = width - (int)strlen(text) - 4; /* brackets, a space, and the last column stays free */
    if (room > BAR_MAX)
        room = BAR_MAX;
    if (room < BAR_MIN) {
        snprintf(line, size, "%.*s", width > 1 ? width - 1 : 0, text);
        return;
    }
    filled = p->total ? (int)(p->done * (size_t)room / p->total) : room;
    memset(bar, '-', (size_t)room);
    memset(bar, '#', (size_t)filled);
    bar[room] = '\0';
    snprintf(line, size, "[%s] %s", bar, text);
}

void progress_show(const struct progress *p, int64_t now_ms)
{
    char line[256];

    if (!terminal_is_live(stderr))
        return;
    progress_line(p, now_ms, terminal_width(stderr), line, sizeof(line));
    fprintf(stderr, "\r\033[K%s", line);
    fflush(stderr);
}

void progress_hide(void)
{
    if (terminal_is_live(stderr))
        fputs("\r\033[K", stderr);
}
