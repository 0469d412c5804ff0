#include "queue/request_words.h"

#include <ctype.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/field.h"
#include "base/mem.h"
#include "base/text.h"

enum {
    ENV_NAME_MAX = 256,
    WORD_MAX = 128 * 1024 - 1, /* of one argument or variable: Linux' MAX_ARG_STRLEN with its NUL */
    WORDS_MAX = 256 * 1024,    /* of all of argv, env, args and the args of cases */
};

void request_words_free(char **words)
{
    for (size_t i = 0; words && words[i]; i++)
        free(words[i]);
    free(words);
}

static int spend(size_t *words, size_t more, const char *name, struct fault *f)
{
    *words += more;
    if (*words > WORDS_MAX)
        return fault_set(f, FAULT_INVALID, "field \"%s\": argv, all args and env together have more than %d bytes",
                         name, WORDS_MAX);
    return 0;
}

int request_words(struct json_object *o, const char *name, size_t *words, char ***ret, struct fault *f)
{
    struct json_object *array = NULL;
    size_t n;

    if (field_array(o, name, FIELD_OPTIONAL, REQUEST_LIST_MAX, &array, f) < 0)
        return -1;
    if (!array)
        return 0;
    n = json_object_array_length(array);
    *ret = mem_zero(n + 1, sizeof(char *));
    for (size_t i = 0; i < n; i++) {
        const char *word = NULL;

        if (field_element(array, i, WORD_MAX, &word, f) < 0)
            return fault_wrap(f, "field \"%s\"", name);
        if (spend(words, strlen(word) + 1, name, f) < 0)
            return -1;
        (*ret)[i] = mem_string(word);
    }
    return 0;
}

static int read_argv(struct json_object *o, struct request *r, size_t *words, struct fault *f)
{
    if (request_words(o, "argv", words, &r->argv, f) < 0 || request_words(o, "args", words, &r->args, f) < 0)
        return -1;
    if (r->argv && (!r->argv[0] || !r->argv[0][0]))
        return fault_set(f, FAULT_INVALID, "field \"argv\" must begin with the program to run");
    if (!r->args)
        r->args = mem_zero(1, sizeof(char *));
    return 0;
}

static bool is_env_name(const char *s)
{
    return !isdigit((unsigned char)s[0]) && text_is_name(s, ENV_NAME_MAX, "_");
}

static int read_env(struct json_object *o, struct request *r, size_t *words, struct fault *f)
{
    struct json_object *env = NULL;
    size_t n = 0;

    if (field_object(o, "env", FIELD_OPTIONAL, &env, f) < 0)
        return -1;
    if (env && json_object_object_length(env) > REQUEST_LIST_MAX)
        return fault_set(f, FAULT_INVALID, "field \"env\" has more than %d variables", REQUEST_LIST_MAX);
    r->env = mem_zero(env ? (size_t)json_object_object_length(env) + 1 : 1, sizeof(*r->env));
    if (!env)
        return 0;
    json_object_object_foreach(env, name, value)
    {
        const char *text = NULL;

        (void)value;
        if (!is_env_name(name))
            return fault_set(f, FAULT_INVALID, "field \"env\": \"%.64s\" is not a name as [A-Za-z_][A-Za-z0-9_]*",
                             name);
        if (field_string(env, name, FIELD_REQUIRED, WORD_MAX - strlen(name) - 1, &text, f) < 0)
            return fault_wrap(f, "field \"env\"");
        if (spend(words, strlen(name) + strlen(text) + 2, "env", f) < 0)
            return -1;
        r->env[n].name = mem_string(name);
        r->env[n++].value = mem_string(text);
    }
    return 0;
}

int request_command(struct json_object *o, struct request *r, size_t *spent, struct fault *f)
{
    return read_argv(o, r, spent, f) < 0 ? -1 : read_env(o, r, spent, f);
}
