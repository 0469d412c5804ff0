#include "worker/doctor_print.h"

#include <json-c/json.h>

static const struct {
    const char *word, *colour;
} shown[] = {
    [FINDING_WELL] = {"ok", "\033[32m"},
    [FINDING_WARNING] = {"warning", "\033[33m"},
    [FINDING_PASSING] = {"unknown", "\033[35m"},
    [FINDING_BAD] = {"BAD", "\033[31m"},
};

static size_t count_of(const struct finding *list, size_t count, enum finding_state state)
{
    size_t n = 0;

    for (size_t i = 0; i < count; i++)
        n += list[i].state == state;
    return n;
}

static void print_one(FILE *to, const struct finding *f, bool colour)
{
    char took[24] = "";

    if (f->took_ms >= 0)
        snprintf(took, sizeof(took), "%.2f s", (double)f->took_ms / 1000.0);
    fprintf(to, "%-16s %s%-7s%s %8s  %s\n", f->check, colour ? shown[f->state].colour : "", shown[f->state].word,
            colour ? "\033[0m" : "", took, f->text);
    if (*f->advice)
        fprintf(to, "%-16s %7s %8s  -> %s\n", "", "", "", f->advice);
}

void doctor_print_table(FILE *to, const struct finding *list, size_t count, bool colour)
{
    size_t bad = count_of(list, count, FINDING_BAD), unknown = count_of(list, count, FINDING_PASSING),
           warnings = count_of(list, count, FINDING_WARNING);

    for (size_t i = 0; i < count; i++)
        print_one(to, &list[i], colour);
    if (bad + unknown + warnings == 0)
        fprintf(to, "All is well.\n");
    else
        fprintf(to, "%zu bad, %zu unknown, %zu warning%s.\n", bad, unknown, warnings, warnings == 1 ? "" : "s");
}

void doctor_print_json(FILE *to, const struct finding *list, size_t count)
{
    struct json_object *o = json_object_new_object(), *checks = json_object_new_array(), *check;

    json_object_object_add(o, "worst", json_object_new_string(finding_state_name(finding_worst(list, count))));
    json_object_object_add(o, "checks", checks);
    for (size_t i = 0; i < count; i++) {
        check = json_object_new_object();
        json_object_object_add(check, "check", json_object_new_string(list[i].check));
        json_object_object_add(check, "state", json_object_new_string(finding_state_name(list[i].state)));
        json_object_object_add(check, "found", json_object_new_string(list[i].text));
        if (*list[i].advice)
            json_object_object_add(check, "do", json_object_new_string(list[i].advice));
        if (list[i].took_ms >= 0)
            json_object_object_add(check, "ms", json_object_new_int64(list[i].took_ms));
        json_object_array_add(checks, check);
    }
    fprintf(to, "%s\n", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(o);
}
