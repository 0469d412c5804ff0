#pragma once
#include <stdbool.h>

/** Whether `path` (relative, parts joined by '/') matches: `?` and `*` stand for one and any number of bytes other
 *  than '/', a double star for any number of any bytes, and a double star with a '/' behind it as a whole part for
 *  any number of folders, none included. Nothing is special about a leading dot. */
bool glob_match(const char *pattern, const char *path);
