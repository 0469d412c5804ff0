#pragma once
#include <stdbool.h>
#include <stdio.h>

/* What a terminal is shown and a file is not. */

enum color { COLOR_NONE, COLOR_RED, COLOR_GREEN, COLOR_YELLOW, COLOR_DIM, COLOR_BOLD };

/** The sequence that switches to a colour, "" where `to` is no terminal, TERM is dumb or NO_COLOR is set
 *  (no-color.org). */
const char *terminal_color(FILE *to, enum color c);

/** Whether `to` shows a line that is overwritten (a terminal that is not dumb). */
bool terminal_is_live(FILE *to);

/** A copy in which no character does anything but show: those of control (C0, DEL, C1) become '?'. For text that is
 *  not ours. */
char *terminal_plain(const char *text);

/** Its width in columns, 80 if unknown. */
int terminal_width(FILE *to);
