#include "cli/options.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "queue/keys.h"

/* clang-format off */
static const struct option common_options[] = {
    {"redis-url", 0,   OPTION_TEXT, offsetof(struct common, redis_url), "URL",  "EXECQ_REDIS_URL",
     "Redis: redis://[user[:password]@]host[:port][/db] or unix:///path.sock", 0, 0},
    {"queue",     0,   OPTION_TEXT, offsetof(struct common, queue),     "NAME", "EXECQ_QUEUE",
     "the queue", 0, 0},
    {"json",      0,   OPTION_FLAG, offsetof(struct common, json),      NULL,   NULL,
     "print JSON on stdout instead of text", 0, 0},
    {"help",      'h', OPTION_FLAG, offsetof(struct common, help),      NULL,   NULL,
     "show this", 0, 0},
    {0},
};
/* clang-format on */

static const struct option *find(const struct option *table, const char *name, size_t len)
{
    for (const struct option *o = table; o->name; o++)
        if (strlen(o->name) == len && memcmp(o->name, name, len) == 0)
            return o;
    return NULL;
}

static const struct option *find_letter(const struct option *table, char letter)
{
    for (const struct option *o = table; o->name; o++)
        if (o->letter == letter)
            return o;
    return NULL;
}

static void *place(void *options, const struct option *o)
{
    return (char *)options + o->at;
}

/* `name` is how the setting was given, for the fault. */
static int set(void *options, const struct option *o, const char *name, const char *value, struct fault *f)
{
    switch (o->kind) {
    case OPTION_FLAG:
        *(bool *)place(options, o) = true;
        return 0;
    case OPTION_TEXT:
        *(const char **)place(options, o) = value;
        return 0;
    case OPTION_NUMBER:
        return text_to_int(value, o->min, o->max, place(options, o), f) < 0 ? fault_wrap(f, "%s", name) : 0;
    case OPTION_MAYBE_TIME:
        if (!value) {
            *(int64_t *)place(options, o) = OPTION_FOREVER;
            return 0;
        }
        return text_to_ms(value, place(options, o), f) < 0 ? fault_wrap(f, "%s", name) : 0;
    case OPTION_TIME:
        return text_to_ms(value, place(options, o), f) < 0 ? fault_wrap(f, "%s", name) : 0;
    case OPTION_LIST: {
        struct text_list *l = place(options, o);

        l->items = mem_resize(l->items, l->n + 1, sizeof(*l->items));
        l->items[l->n++] = value;
        return 0;
    }
    }
    return fault_set(f, FAULT_BUG, "option %s has no kind", name);
}

static int from_environment(const struct option *table, void *options, struct fault *f)
{
    for (const struct option *o = table; o->name; o++) {
        const char *value = o->environment ? getenv(o->environment) : NULL;

        if (value && *value && set(options, o, o->environment, value, f) < 0)
            return -1;
    }
    return 0;
}

/* A position in argv. */
struct reader {
    const struct command *command;
    void *options;
    int argc, i;
    char **argv;
    struct arguments *arguments;
};

/* Whether the next word is the value of an option that may do without. */
static bool is_optional_value(const struct reader *r)
{
    return r->arguments->n > 0 && r->i + 1 < r->argc && isdigit((unsigned char)r->argv[r->i + 1][0]);
}

static int read_long(struct reader *r, const char *word, struct fault *f)
{
    const char *equals = strchr(word, '=');
    size_t len = equals ? (size_t)(equals - word) : strlen(word);
    const char *value = equals ? equals + 1 : NULL;
    _cleanup_free_ char *name = mem_format("--%.*s", (int)len - 2, word + 2);
    const struct option *o = find(r->command->options, word + 2, len - 2);

    if (!o)
        o = find(common_options, word + 2, len - 2);
    if (!o)
        return fault_set(f, FAULT_INVALID, "unknown option %s", name);
    if (o->kind == OPTION_FLAG && value)
        return fault_set(f, FAULT_INVALID, "option %s takes no value", name);
    if (!value && (o->kind == OPTION_MAYBE_TIME ? is_optional_value(r) : o->kind != OPTION_FLAG)) {
        if (r->i + 1 >= r->argc)
            return fault_set(f, FAULT_INVALID, "option %s needs a value: %s %s", name, name, o->value);
        value = r->argv[++r->i];
    }
    return set(r->options, o, name, value, f);
}

/* "-o FILE" or "-oFILE". */
static int read_short(struct reader *r, const char *word, struct fault *f)
{
    char name[] = {'-', word[1], '\0'};
    const struct option *o = find_letter(r->command->options, word[1]);
    const char *value = word[2] ? word + 2 : NULL;

    if (!o)
        o = find_letter(common_options, word[1]);
    if (!o || (o->kind == OPTION_FLAG && value))
        return fault_set(f, FAULT_INVALID, "unknown option %s", word);
    if (o->kind != OPTION_FLAG && !value) {
        if (r->i + 1 >= r->argc)
            return fault_set(f, FAULT_INVALID, "option %s needs a value: %s %s", name, name, o->value);
        value = r->argv[++r->i];
    }
    return set(r->options, o, name, value, f);
}

static int read_words(struct reader *r, struct fault *f)
{
    struct arguments *a = r->arguments;

    for (r->i = 0; r->i < r->argc; r->i++) {
        const char *word = r->argv[r->i];

        if (strcmp(word, "--") == 0) {
            if (!r->command->takes_rest)
                return fault_set(f, FAULT_INVALID, "nothing may follow --");
            for (r->i++; r->i < r->argc; r->i++)
                a->rest[a->n_rest++] = r->argv[r->i];
        } else if (word[0] == '-' && word[1] == '-') {
            if (read_long(r, word, f) < 0)
                return -1;
        } else if (word[0] == '-' && word[1]) {
            if (read_short(r, word, f) < 0)
                return -1;
        } else {
            a->words[a->n++] = word; /* also "-": standard input */
        }
    }
    return 0;
}

static int check(const struct command *c, const struct common *o, const struct arguments *a, struct fault *f)
{
    if (a->n < c->arguments_min)
        return fault_set(f, FAULT_INVALID, "an argument is missing: execq %s %s", c->name, c->synopsis);
    if (a->n > c->arguments_max)
        return fault_set(f, FAULT_INVALID, "one argument too many: %.80s%s", a->words[c->arguments_max],
                         c->takes_rest ? " (arguments for the code go behind --)" : "");
    if (!key_is_name(o->queue))
        return fault_set(f, FAULT_INVALID, "--queue: \"%.80s\" is no name: 1 to 64 of A-Z a-z 0-9 . _ -", o->queue);
    return 0;
}

int options_parse(const struct command *c, int argc, char **argv, void *options, struct arguments *ret_arguments,
                  struct fault *f)
{
    _cleanup_(arguments_release)
    struct arguments a = {0};
    struct reader r = {.command = c, .options = options, .argc = argc, .argv = argv, .arguments = &a};
    const struct common *common = options;

    a.words = mem_zero((size_t)argc + 1, sizeof(*a.words));
    a.rest = mem_zero((size_t)argc + 1, sizeof(*a.rest));
    if (from_environment(common_options, options, f) < 0 || from_environment(c->options, options, f) < 0)
        return -1;
    if (read_words(&r, f) < 0)
        return -1;
    if (!common->help && check(c, common, &a, f) < 0)
        return -1;
    *ret_arguments = a;
    a = (struct arguments){0};
    return 0;
}

void options_release(const struct command *c, void *options)
{
    for (const struct option *o = c->options; o->name; o++)
        if (o->kind == OPTION_LIST) {
            struct text_list *l = place(options, o);

            free(l->items);
            *l = (struct text_list){0};
        }
}

void arguments_release(struct arguments *a)
{
    free(a->words);
    free(a->rest);
    *a = (struct arguments){0};
}

static void show_rows(FILE *to, const struct option *table)
{
    for (const struct option *o = table; o->name; o++) {
        char left[64], letter[8] = "    ";

        if (o->letter)
            snprintf(letter, sizeof(letter), "-%c, ", o->letter);
        if (o->kind == OPTION_MAYBE_TIME)
            snprintf(left, sizeof(left), "%s--%s[=%s]", letter, o->name, o->value);
        else
            snprintf(left, sizeof(left), "%s--%s%s%s", letter, o->name, o->value ? " " : "", o->value ? o->value : "");
        fprintf(to, "  %-26s %s", left, o->help);
        if (o->environment)
            fprintf(to, " [%s]", o->environment);
        fputc('\n', to);
    }
}

void options_help(FILE *to, const struct command *c)
{
    fprintf(to, "usage: execq %s [OPTIONS]%s%s\n\n%s\n", c->name, *c->synopsis ? " " : "", c->synopsis, c->text);
    if (c->pass_on)
        return;
    if (c->options->name) {
        fputs("\noptions:\n", to);
        show_rows(to, c->options);
    }
    fputs("\noptions of every command (in brackets: the variable that sets the same):\n", to);
    show_rows(to, common_options);
}
