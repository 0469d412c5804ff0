#pragma once
#include "cli/snippet.h"

/* What `run` and `submit` send along with the code: standard input, files, and which files they want back. */

/** Adds stdin, files and outputs to a request. `code` is where the code comes from: standard input ("-") can be read
 *  for one thing only. */
int inputs_add(struct json_object *request, const struct snippet_options *o, const char *code, struct fault *f);
