#include "cli/inputs.h"

#include <errno.h>
#include <json-c/json.h>
#include <sys/stat.h>

#include "base/digest.h"
#include "base/mem.h"
#include "base/utf8.h"

/* PATH[=LOCAL] */
struct pair {
    char *path;
    const char *local;
};

static void pair_release(struct pair *p)
{
    free(p->path);
}

/* Without LOCAL the file has the same name there as here; a shell's "./a" is "a". */
static int split(const char *text, struct pair *ret, struct fault *f)
{
    const char *equals = strchr(text, '=');
    const char *path = text;

    if (equals == text || (equals && !equals[1]))
        return fault_set(f, FAULT_INVALID, "--file: \"%.80s\" is not PATH or PATH=LOCAL", text);
    if (!utf8_is_valid(text, strlen(text)))
        return fault_set(f, FAULT_INVALID, "--file: the path is not UTF-8");
    if (!equals && strcmp(text, "-") == 0)
        return fault_set(f, FAULT_INVALID, "--file: standard input needs a path: PATH=-");
    while (!equals && strncmp(path, "./", 2) == 0)
        path += 2;
    ret->path = equals ? mem_bytes(text, (size_t)(equals - text)) : mem_string(path);
    ret->local = equals ? equals + 1 : text;
    return 0;
}

static struct json_object *base64_of(const struct buf *b)
{
    _cleanup_(buf_release)
    struct buf text = BUF_INIT(SIZE_MAX / 2);
    struct fault impossible = FAULT_INIT;

    digest_base64_encode(buf_str(b), b->len, &text, &impossible);
    return json_object_new_string_len(buf_str(&text), (int)text.len);
}

/* Reads a file as a member: {"text": ...} or {"base64": ...}. */
static int read_into(struct json_object *to, const char *local, struct fault *f)
{
    _cleanup_(buf_release)
    struct buf b = BUF_INIT(snippet_limits()->payload_max);

    if (snippet_read_file(local, &b, f) < 0)
        return -1;
    if (utf8_is_valid(buf_str(&b), b.len))
        json_object_object_add(to, "text", json_object_new_string_len(buf_str(&b), (int)b.len));
    else
        json_object_object_add(to, "base64", base64_of(&b));
    return 0;
}

static int add_file(struct json_object *files, const char *text, struct fault *f)
{
    _cleanup_(pair_release)
    struct pair p = {0};
    struct json_object *content;
    struct stat st;

    if (split(text, &p, f) < 0)
        return -1;
    if (json_object_object_get_ex(files, p.path, NULL))
        return fault_set(f, FAULT_INVALID, "--file: %.100s is given twice", p.path);
    content = json_object_new_object();
    json_object_object_add(files, p.path, content);
    if (read_into(content, p.local, f) < 0)
        return fault_wrap(f, "--file");
    if (strcmp(p.local, "-") != 0 && stat(p.local, &st) == 0 && (st.st_mode & 0111))
        json_object_object_add(content, "mode", json_object_new_string("755"));
    return 0;
}

static int add_files(struct json_object *request, const struct text_list *list, struct fault *f)
{
    struct json_object *files = json_object_new_object();

    json_object_object_add(request, "files", files);
    for (size_t i = 0; i < list->n; i++)
        if (add_file(files, list->items[i], f) < 0)
            return -1;
    return 0;
}

static int add_stdin(struct json_object *request, const char *path, struct fault *f)
{
    struct json_object *in = json_object_new_object(), *text = NULL;

    json_object_object_add(request, "stdin", in);
    if (read_into(in, path, f) < 0)
        return fault_wrap(f, "--stdin");
    if (json_object_object_get_ex(in, "text", &text)) /* here a plain string */
        json_object_object_add(request, "stdin", json_object_get(text));
    return 0;
}

static int add_outputs(struct json_object *request, const struct text_list *list, struct fault *f)
{
    struct json_object *outputs = json_object_new_array();

    json_object_object_add(request, "outputs", outputs);
    for (size_t i = 0; i < list->n; i++) {
        if (!utf8_is_valid(list->items[i], strlen(list->items[i])))
            return fault_set(f, FAULT_INVALID, "--output number %zu is not UTF-8", i + 1);
        json_object_array_add(outputs, json_object_new_string(list->items[i]));
    }
    return 0;
}

static bool is_standard_input(const char *path)
{
    return path && strcmp(path, "-") == 0;
}

static int check_standard_input(const struct snippet_options *o, const char *code, struct fault *f)
{
    size_t uses = is_standard_input(code) + is_standard_input(o->in);

    for (size_t i = 0; i < o->files.n; i++) {
        const char *equals = strchr(o->files.items[i], '=');

        uses += is_standard_input(equals ? equals + 1 : NULL);
    }
    return uses > 1 ? fault_set(f, FAULT_INVALID, "standard input (-) can be read for one thing only") : 0;
}

int inputs_add(struct json_object *request, const struct snippet_options *o, const char *code, struct fault *f)
{
    if (check_standard_input(o, code, f) < 0)
        return -1;
    if (o->in && add_stdin(request, o->in, f) < 0)
        return -1;
    if (o->files.n && add_files(request, &o->files, f) < 0)
        return -1;
    return o->outputs.n ? add_outputs(request, &o->outputs, f) : 0;
}
