#pragma once
#include <json-c/json_types.h>
#include <stdbool.h>
#include <stddef.h>

/* The files of a result, put where the user wants them. What the result says of their paths is not believed: nothing
 * is written outside of the folder, no link in it is followed, and what is there stays unless `force` is given. */

/** Writes all files below `dir`, which is made if it is missing (its parents are not). What goes wrong, and what is
 *  only the beginning of a file, is told on stderr. Returns how many could not be written. */
size_t files_write(struct json_object *files, const char *dir, bool force);

/** Says on stderr what came back and was not written. */
void files_list(struct json_object *files);
