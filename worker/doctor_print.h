#pragma once
#include <stdbool.h>
#include <stdio.h>

#include "worker/finding.h"

/** The findings for people: one a line, what is to be done below it, and a line that sums up. */
void doctor_print_table(FILE *to, const struct finding *list, size_t count, bool colour);

/** The same for programs, one JSON object on one line: {"worst": "well", "checks": [{"check", "state", "found", "do",
 *  "ms"}]}; "do" and "ms" only where there is something to say. */
void doctor_print_json(FILE *to, const struct finding *list, size_t count);
