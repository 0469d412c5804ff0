#include "queue/request_inputs.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/field.h"
#include "base/mem.h"
#include "base/skim.h"
#include "base/utf8.h"
#include "queue/request_words.h"

enum {
    PATH_MAX_BYTES = 512, /* of a path or a glob; the runner takes 1024 */
    PATH_PARTS_MAX = 32,
    PART_MAX_BYTES = 255, /* Linux' NAME_MAX */
    PATH_SHOWN = 80,      /* in a fault */
};

void request_inputs_free(struct request *r)
{
    free(r->in.bytes);
    for (size_t i = 0; i < r->file_count; i++) {
        free(r->files[i].path);
        free(r->files[i].content.bytes);
    }
    free(r->files);
    request_words_free(r->outputs);
    for (size_t i = 0; i < r->case_count; i++) {
        free(r->cases[i].in.bytes);
        free(r->cases[i].expected.bytes);
        request_words_free(r->cases[i].args);
    }
    free(r->cases);
}

int request_timeout(struct json_object *o, const struct request_limits *l, int64_t absent, int64_t *ret,
                    struct fault *f)
{
    int64_t ms = absent;

    if (field_milli(o, "timeout_s", FIELD_OPTIONAL, 1, REQUEST_MILLI_MAX, &ms, f) < 0)
        return -1;
    if (l->timeout_max_ms > 0 && ms > l->timeout_max_ms)
        return fault_set(f, FAULT_REFUSED, "field \"timeout_s\" is %g, this service allows at most %g",
                         (double)ms / 1000.0, (double)l->timeout_max_ms / 1000.0);
    *ret = ms;
    return 0;
}

/* ---- bytes ---- */

/* As digest_base64_decode(), but without white space in between: a producer's encoder puts none there. */
static int read_base64(struct json_object *o, struct request_bytes *ret, struct fault *f)
{
    _cleanup_(buf_release)
    struct buf b = BUF_INIT(SIZE_MAX / 2);
    const char *text = NULL;
    size_t len = 0;

    if (field_bytes(o, "base64", FIELD_REQUIRED, SIZE_MAX, &text, &len, f) < 0)
        return -1;
    for (size_t i = 0; i < len; i++)
        if (memchr(" \t\n\v\f\r", text[i], 6))
            return fault_set(f, FAULT_INVALID, "field \"base64\": white space at byte %zu", i);
    if (digest_base64_decode(text, len, &b, f) < 0)
        return fault_wrap(f, "field \"base64\"");
    ret->bytes = buf_take(&b, &ret->len);
    return 0;
}

static void keep_text(struct json_object *string, struct request_bytes *ret)
{
    ret->len = (size_t)json_object_get_string_len(string);
    ret->bytes = mem_bytes(json_object_get_string(string), ret->len);
}

/* A string, or {"base64": "..."}. */
static int read_bytes(struct json_object *o, const char *name, struct request_bytes *ret, struct fault *f)
{
    static const char *const known[] = {"base64", NULL};
    struct json_object *v = NULL;

    json_object_object_get_ex(o, name, &v);
    if (!v)
        return 0;
    if (json_object_is_type(v, json_type_string)) {
        keep_text(v, ret);
        return 0;
    }
    if (!json_object_is_type(v, json_type_object))
        return fault_set(f, FAULT_INVALID, "field \"%s\" must be a string or {\"base64\": ...}", name);
    if (field_only(v, known, f) < 0 || read_base64(v, ret, f) < 0)
        return fault_wrap(f, "field \"%s\"", name);
    return 0;
}

/* ---- paths ---- */

static bool is_part(const char *part, size_t len)
{
    return len > 0 && len <= PART_MAX_BYTES && !(len == 1 && part[0] == '.') &&
           !(len == 2 && part[0] == '.' && part[1] == '.');
}

/* As runner/plan.c wants it, and no laxer. */
static bool is_path(const char *path)
{
    size_t parts = 0;

    if (strlen(path) > PATH_MAX_BYTES)
        return false;
    for (const char *at = path;; at++) {
        size_t len = strcspn(at, "/");

        if (!is_part(at, len) || ++parts > PATH_PARTS_MAX)
            return false;
        at += len;
        if (!*at)
            return true;
    }
}

static int shown(const char *path)
{
    return (int)utf8_floor(path, strnlen(path, PATH_SHOWN));
}

static int check_path(const char *path, struct fault *f)
{
    if (!is_path(path))
        return fault_set(f, FAULT_INVALID,
                         "\"%.*s\" is no path below the working directory: at most %d bytes and %d parts, none of "
                         "them empty, . or ..",
                         shown(path), path, PATH_MAX_BYTES, PATH_PARTS_MAX);
    return 0;
}

/* By path, with '/' before every other character, so that what is in a folder stands right behind its name. */
static int by_path(const void *a, const void *b)
{
    const unsigned char *x = (const void *)((const struct request_file *)a)->path;
    const unsigned char *y = (const void *)((const struct request_file *)b)->path;

    while (*x && *x == *y)
        x++, y++;
    return (*x == '/' ? 1 : *x ? *x + 1 : 0) - (*y == '/' ? 1 : *y ? *y + 1 : 0);
}

static int check_folders(struct request *r, struct fault *f)
{
    qsort(r->files, r->file_count, sizeof(*r->files), by_path);
    for (size_t i = 1; i < r->file_count; i++) {
        const char *path = r->files[i - 1].path, *next = r->files[i].path;
        size_t len = strlen(path);

        if (strncmp(path, next, len) == 0 && next[len] == '/')
            return fault_set(f, FAULT_INVALID, "\"%.*s\" is a file, and the folder of \"%.*s\"", shown(path), path,
                             shown(next), next);
    }
    return 0;
}

/* Members of equal names, and a name in disguise ("\u0066iles"), are looked at too: better too many. */
static int check_nul_in_paths(const char *payload, size_t len, struct fault *f)
{
    struct skim s, inner;
    struct skim_member m, file;

    if (!skim_begin(&s, payload, len))
        return 0;
    while (skim_next(&s, &m)) {
        if (!skim_member_is(&m, "files") && !memchr(m.name, '\\', m.name_len))
            continue;
        if (!skim_begin(&inner, m.value, m.value_len))
            continue;
        while (skim_next(&inner, &file))
            if (skim_member_has_nul(&file))
                return fault_set(f, FAULT_INVALID, "a path holds a NUL character");
    }
    return 0;
}

/* ---- files ---- */

/* 1 to 777: nobody could read a file of mode 0, which in the struct means that none was given. */
static int read_mode(struct json_object *o, unsigned *ret, struct fault *f)
{
    const char *s = NULL;
    unsigned mode = 0;
    size_t n;

    if (field_string(o, "mode", FIELD_OPTIONAL, SIZE_MAX, &s, f) < 0)
        return -1;
    if (!s)
        return 0;
    n = strspn(s, "01234567");
    for (size_t i = 0; i < n && i < 3; i++)
        mode = mode * 8 + (unsigned)(s[i] - '0');
    if (s[n] || n > 3 || mode == 0)
        return fault_set(f, FAULT_INVALID, "field \"mode\" must be an octal number from \"1\" to \"777\"");
    *ret = mode;
    return 0;
}

/* A string, or an object of either `text` or `base64`, and `mode`. */
static int read_content(struct json_object *v, struct request_file *file, struct fault *f)
{
    static const char *const known[] = {"text", "base64", "mode", NULL};
    struct json_object *text = NULL, *base64 = NULL;

    if (json_object_is_type(v, json_type_string)) {
        keep_text(v, &file->content);
        return 0;
    }
    if (!json_object_is_type(v, json_type_object))
        return fault_set(f, FAULT_INVALID, "must be a string or an object of text or base64, and mode");
    if (field_only(v, known, f) < 0 || read_mode(v, &file->mode, f) < 0)
        return -1;
    json_object_object_get_ex(v, "text", &text);
    json_object_object_get_ex(v, "base64", &base64);
    if (!text == !base64)
        return fault_set(f, FAULT_INVALID, "needs either text or base64");
    if (base64)
        return read_base64(v, &file->content, f);
    if (!json_object_is_type(text, json_type_string))
        return fault_set(f, FAULT_INVALID, "field \"text\" must be a string");
    keep_text(text, &file->content);
    return 0;
}

static int read_files(struct json_object *o, const char *payload, size_t len, struct request *r, struct fault *f)
{
    struct json_object *files = NULL;

    if (field_object(o, "files", FIELD_OPTIONAL, &files, f) < 0)
        return -1;
    if (!files)
        return 0;
    if (json_object_object_length(files) > REQUEST_LIST_MAX)
        return fault_set(f, FAULT_INVALID, "field \"files\" has more than %d files", REQUEST_LIST_MAX);
    if (check_nul_in_paths(payload, len, f) < 0)
        return fault_wrap(f, "field \"files\"");
    r->files = mem_zero((size_t)json_object_object_length(files) + 1, sizeof(*r->files));
    json_object_object_foreach(files, path, content)
    {
        struct request_file *file = &r->files[r->file_count++];

        file->path = mem_string(path);
        if (check_path(path, f) < 0)
            return fault_wrap(f, "field \"files\"");
        if (read_content(content, file, f) < 0)
            return fault_wrap(f, "field \"files\": \"%.*s\"", shown(path), path);
    }
    return check_folders(r, f) < 0 ? fault_wrap(f, "field \"files\"") : 0;
}

static int read_outputs(struct json_object *o, struct request *r, struct fault *f)
{
    struct json_object *array = NULL;
    size_t n;

    if (field_array(o, "outputs", FIELD_OPTIONAL, REQUEST_OUTPUTS_MAX, &array, f) < 0)
        return -1;
    n = array ? json_object_array_length(array) : 0;
    r->outputs = mem_zero(n + 1, sizeof(char *));
    for (size_t i = 0; i < n; i++) {
        const char *glob = NULL;

        if (field_element(array, i, SIZE_MAX, &glob, f) < 0)
            return fault_wrap(f, "field \"outputs\"");
        if (check_path(glob, f) < 0)
            return fault_wrap(f, "field \"outputs\": [%zu]", i);
        r->outputs[i] = mem_string(glob);
    }
    return 0;
}

/* ---- cases ---- */

static int read_compare(struct json_object *o, enum request_compare *ret, struct fault *f)
{
    static const char *const names[] = {
        [EXPECT_EXACT] = "exact", [EXPECT_TRIMMED] = "trimmed", [EXPECT_TOKENS] = "tokens"};
    const char *s = names[EXPECT_EXACT];

    if (field_string(o, "compare", FIELD_OPTIONAL, SIZE_MAX, &s, f) < 0)
        return -1;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (strcmp(s, names[i]) == 0) {
            *ret = (enum request_compare)i;
            return 0;
        }
    return fault_set(f, FAULT_INVALID, "field \"compare\" must be exact, trimmed or tokens");
}

static int read_case(struct json_object *o, const struct request_limits *l, const struct request *r, size_t *spent,
                     struct request_case *c, struct fault *f)
{
    static const char *const known[] = {"stdin", "args", "expected", "compare", "timeout_s", NULL};

    if (field_only(o, known, f) < 0 || read_bytes(o, "stdin", &c->in, f) < 0 ||
        request_words(o, "args", spent, &c->args, f) < 0 || read_bytes(o, "expected", &c->expected, f) < 0 ||
        read_compare(o, &c->compare, f) < 0)
        return -1;
    if (!c->args)
        c->args = mem_zero(1, sizeof(char *));
    return request_timeout(o, l, r->timeout_ms, &c->timeout_ms, f);
}

static int read_cases(struct json_object *o, const struct request_limits *l, size_t *spent, struct request *r,
                      struct fault *f)
{
    struct json_object *array = NULL;

    if (field_array(o, "cases", FIELD_OPTIONAL, REQUEST_CASES_MAX, &array, f) < 0 ||
        field_bool(o, "stop_on_first_failure", FIELD_OPTIONAL, &r->stop_on_first_failure, f) < 0)
        return -1;
    if (!array && r->stop_on_first_failure)
        return fault_set(f, FAULT_INVALID, "field \"stop_on_first_failure\" is for requests with cases");
    if (!array)
        return 0;
    if (json_object_array_length(array) == 0)
        return fault_set(f, FAULT_INVALID, "field \"cases\" needs at least one case");
    if (r->in.bytes)
        return fault_set(f, FAULT_INVALID, "field \"stdin\" beside cases: each case has its own");
    r->case_count = json_object_array_length(array);
    r->cases = mem_zero(r->case_count, sizeof(*r->cases));
    for (size_t i = 0; i < r->case_count; i++)
        if (read_case(json_object_array_get_idx(array, i), l, r, spent, &r->cases[i], f) < 0)
            return fault_wrap(f, "field \"cases\": [%zu]", i);
    return 0;
}

int request_inputs(struct json_object *o, const char *payload, size_t len, const struct request_limits *l,
                   size_t *spent, struct request *r, struct fault *f)
{
    if (read_bytes(o, "stdin", &r->in, f) < 0 || read_files(o, payload, len, r, f) < 0 || read_outputs(o, r, f) < 0)
        return -1;
    return read_cases(o, l, spent, r, f);
}
