#include "devcluster/selector.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/field.h"
#include "base/mem.h"
#include "devcluster/tree.h"

enum { TEXT_MAX = 4096, TERMS_MAX = 64, VALUES_MAX = 256 };
enum term_op { TERM_IN, TERM_NOT_IN, TERM_EXISTS, TERM_ABSENT };

struct term {
    enum term_op op;
    bool field; /* a dotted path in place of a label */
    char *name;
    char **values;
    size_t n_values;
};

struct selector {
    struct term terms[TERMS_MAX];
    size_t n;
};

void selector_free(struct selector *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n; i++) {
        for (size_t k = 0; k < s->terms[i].n_values; k++)
            free(s->terms[i].values[k]);
        free(s->terms[i].values);
        free(s->terms[i].name);
    }
    free(s);
}

static void skip_space(const char **at)
{
    while (**at == ' ' || **at == '\t')
        (*at)++;
}

/* A name or value: whatever does not mean anything here. May be empty. */
static char *take_word(const char **at)
{
    size_t len;
    char *word;

    skip_space(at);
    len = strcspn(*at, "=!,() \t");
    word = mem_bytes(*at, len);
    *at += len;
    skip_space(at);
    return word;
}

static void add_value(struct term *t, char *value)
{
    t->values = mem_resize(t->values, t->n_values + 1, sizeof(*t->values));
    t->values[t->n_values++] = value;
}

static int take_set(const char **at, struct term *t, struct fault *f)
{
    if (**at != '(')
        return fault_set(f, FAULT_INVALID, "unable to parse requirement: expected '(' at \"%.40s\"", *at);
    do {
        (*at)++;
        if (t->n_values >= VALUES_MAX)
            return fault_set(f, FAULT_INVALID, "unable to parse requirement: too many values");
        add_value(t, take_word(at));
    } while (**at == ',');
    if (**at != ')')
        return fault_set(f, FAULT_INVALID, "unable to parse requirement: expected ')' at \"%.40s\"", *at);
    (*at)++;
    skip_space(at);
    return 0;
}

/* What follows the name of a term: an operator and its values, or nothing. */
static int take_condition(const char **at, struct term *t, struct fault *f)
{
    _cleanup_free_ char *word = NULL;

    if (**at == '=' || (**at == '!' && (*at)[1] == '=')) {
        t->op = **at == '!' ? TERM_NOT_IN : TERM_IN;
        *at += **at == '!' || (*at)[1] == '=' ? 2 : 1;
        add_value(t, take_word(at));
        return 0;
    }
    if (**at == ',' || !**at) {
        t->op = TERM_EXISTS;
        return 0;
    }
    word = take_word(at);
    if (strcmp(word, "in") != 0 && strcmp(word, "notin") != 0)
        return fault_set(f, FAULT_INVALID,
                         "unable to parse requirement: found '%.40s', expected: in, notin, =, ==, !=", word);
    t->op = strcmp(word, "in") == 0 ? TERM_IN : TERM_NOT_IN;
    return take_set(at, t, f);
}

static int take_term(const char **at, struct term *t, bool field, struct fault *f)
{
    bool absent = false;

    skip_space(at);
    if (**at == '!' && !field) {
        absent = true;
        (*at)++;
    }
    t->field = field;
    t->name = take_word(at);
    if (!t->name[0])
        return fault_set(f, FAULT_INVALID, "unable to parse requirement: no name at \"%.40s\"", *at);
    if (absent) {
        t->op = TERM_ABSENT;
        return 0;
    }
    return take_condition(at, t, f);
}

static int take_terms(struct selector *s, const char *text, bool field, struct fault *f)
{
    const char *at = text;

    if (!text)
        return 0;
    if (strlen(text) > TEXT_MAX)
        return fault_set(f, FAULT_INVALID, "selector is longer than %d bytes", TEXT_MAX);
    skip_space(&at);
    while (*at) {
        if (s->n >= TERMS_MAX)
            return fault_set(f, FAULT_INVALID, "selector has more than %d terms", TERMS_MAX);
        if (take_term(&at, &s->terms[s->n++], field, f) < 0)
            return -1;
        if (*at && *at != ',')
            return fault_set(f, FAULT_INVALID, "unable to parse requirement: found \"%.40s\", expected ','", at);
        if (*at == ',') {
            at++;
            skip_space(&at);
            if (!*at)
                return fault_set(f, FAULT_INVALID, "unable to parse requirement: a term is missing at the end");
        }
    }
    return 0;
}

static int check_field(const struct term *t, const char *const fields[], struct fault *f)
{
    if (t->op != TERM_IN && t->op != TERM_NOT_IN)
        return fault_set(f, FAULT_INVALID, "invalid selector: '%.64s'; can't understand", t->name);
    if (strcmp(t->name, "metadata.name") == 0 || strcmp(t->name, "metadata.namespace") == 0)
        return 0;
    for (; fields && *fields; fields++)
        if (strcmp(*fields, t->name) == 0)
            return 0;
    return fault_set(f, FAULT_INVALID, "field label not supported: %.64s", t->name);
}

int selector_parse(const char *labels, const char *field_text, const char *const fields[], struct selector **ret,
                   struct fault *f)
{
    _cleanup_(selector_freep)
    struct selector *s = mem_new(struct selector);

    if (take_terms(s, labels, false, f) < 0 || take_terms(s, field_text, true, f) < 0)
        return -1;
    for (size_t i = 0; i < s->n; i++)
        if (s->terms[i].field && check_field(&s->terms[i], fields, f) < 0)
            return -1;
    *ret = TAKE(s);
    return 0;
}

static bool has_value(const struct term *t, const char *value)
{
    for (size_t i = 0; i < t->n_values; i++)
        if (strcmp(t->values[i], value) == 0)
            return true;
    return false;
}

static bool term_matches(const struct term *t, struct json_object *object, struct json_object *labels)
{
    const char *value = t->field ? tree_string(object, t->name) : field_peek_string(labels, t->name);

    if (t->field && !value)
        value = ""; /* a field always has a value */
    switch (t->op) {
    case TERM_EXISTS:
        return value != NULL;
    case TERM_ABSENT:
        return value == NULL;
    case TERM_IN:
        return value && has_value(t, value);
    case TERM_NOT_IN:
        return !value || !has_value(t, value);
    }
    return false;
}

bool selector_matches(const struct selector *s, struct json_object *object)
{
    struct json_object *labels;

    if (!s || s->n == 0)
        return true;
    labels = tree_at(object, "metadata.labels");
    for (size_t i = 0; i < s->n; i++)
        if (!term_matches(&s->terms[i], object, labels))
            return false;
    return true;
}
