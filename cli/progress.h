#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* The line that shows how far a batch is. The line itself is made by a pure function; the rest decides when. */

struct progress {
    size_t total, done;
    size_t failed;      /* of done: not ok */
    size_t done_before; /* of done: finished by an earlier run, so they do not count for the rate */
    int64_t begun_ms;   /* loop_now() */
};

/** "[#####-----]  512/1000  3 failed  41.2/s  12 s left", cut to `width` columns, into `line` (NUL-terminated). */
void progress_line(const struct progress *p, int64_t now_ms, int width, char *line, size_t size);

/** "45 s", "3 min 20 s", "2 h 05 min". */
void progress_time(int64_t ms, char *text, size_t size);

/** Overwrites the line on stderr; nothing if stderr is no live terminal. */
void progress_show(const struct progress *p, int64_t now_ms);
/** Takes the line away again. */
void progress_hide(void);
