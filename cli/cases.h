#pragma once
#include <json-c/json_types.h>
#include <stdio.h>

/** The test cases of a result as a table of verdicts, counted from 0 as in faults, and a line that sums them up. */
void cases_print(FILE *to, struct json_object *cases);
