#pragma once
#include "worker/config.h"

/** Prints the help, or the effective values with secrets masked, on stdout. */
void config_help(void);
void config_print(const struct config *c);
