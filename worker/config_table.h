#pragma once
#include "worker/config.h"

/* The table of settings: a row a setting. config.c reads values by it, config_print.c prints them. */

enum setting_type { TEXT, SECRET_URL, NAME, INT, BYTES, TIME, CPU, BOOL, LEVEL, FORMAT, LANGUAGE };

/* The flag is --NAME, the environment variable EXECQ_NAME with _ for -. A row with `help` alone is a heading. */
struct setting {
    const char *name;
    enum setting_type type;
    size_t at; /* offsetof() in struct config */
    const char *preset;
    int64_t min, max; /* of a number: milliseconds of a time, thousandths of a CPU */
    const char *help; /* empty: the most that a request may ask for */
};

/** All rows, in the order in which they are printed; ended by one whose `help` is NULL. */
extern const struct setting config_table[];
