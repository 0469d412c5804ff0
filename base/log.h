#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"

/* One line an event on stderr, as key=value or as a JSON object:
 *
 *     log_info("step", STR("req", id), STR("to", "await-pod"), NUM("try", 2));
 *     2026-11-21T09:15:04.123Z info step req=a1 to=await-pod try=2
 *
 * The event is a short fixed word. Values are escaped, so that a line stays one line of UTF-8 (and, as JSON, one
 * object) whatever is in them, and cut at 1 KiB; a field that finds no room in the 16 KiB of a line is left out. Never
 * log code, output, tokens or passwords. Only worker, cli and devcluster log; queue and k8s return faults and report
 * what an operator has to know through the callbacks they were given. */

enum log_level { LEVEL_ERROR, LEVEL_WARNING, LEVEL_INFO, LEVEL_DEBUG };

struct log_field {
    const char *key; /* NULL ends the list */
    const char *text;
    int64_t number; /* if text is NULL */
};

/** NULL shows as an empty string. */
static inline struct log_field log_string(const char *key, const char *text)
{
    return (struct log_field){.key = key, .text = text ? text : ""};
}
#define STR(k, v) log_string((k), (v))
#define NUM(k, v) ((struct log_field){.key = (k), .number = (int64_t)(v)})
#define LOG_END   ((struct log_field){.key = NULL})

/** Starts logging: what is above `level` is dropped before its arguments are looked at. Default: info, text. */
void log_open(enum log_level level, bool json);

extern enum log_level log_threshold;
void log_write(enum log_level level, const char *event, const struct log_field *fields);

/** "error", "warning", "info", "debug" -> level. */
int log_level_parse(const char *name, enum log_level *ret_level, struct fault *f);
const char *log_level_name(enum log_level level);

#define log_at(level, event, ...) \
    ((level) <= log_threshold ? log_write((level), (event), (const struct log_field[]){__VA_ARGS__}) : (void)0)
#define log_error(...)   log_at(LEVEL_ERROR, __VA_ARGS__, LOG_END)
#define log_warning(...) log_at(LEVEL_WARNING, __VA_ARGS__, LOG_END)
#define log_info(...)    log_at(LEVEL_INFO, __VA_ARGS__, LOG_END)
#define log_debug(...)   log_at(LEVEL_DEBUG, __VA_ARGS__, LOG_END)
