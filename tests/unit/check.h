#pragma once
/* What every cmocka test file includes, in the order that cmocka wants. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Names the row of a table that failed. */
#define row_true(row, condition)                           \
    do {                                                   \
        if (!(condition))                                  \
            fail_msg("row \"%s\": %s", (row), #condition); \
    } while (0)
