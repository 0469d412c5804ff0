#include "base/field.h"

#include <ctype.h>
#include <json-c/json.h>
#include <math.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/utf8.h"

#define MILLI_MAX 9e15 /* beyond it a double does not hold every whole number */

/* What json-c takes although it is no JSON (RFC 8259), even when told to be strict: names in single quotes, NaN and
 * Infinity, "-01", "1.", control characters inside strings. The bytes have passed json-c, so that strings are closed
 * and letters outside them stand in words that it knows. Returns where the first one stands, or `len`. */
static size_t find_lax(const char *s, size_t len)
{
    bool in_string = false;

    for (size_t i = 0; i < len; i++) {
        char next = i + 1 < len ? s[i + 1] : '\0', after = i + 2 < len ? s[i + 2] : '\0';

        if (in_string && s[i] == '\\') {
            i++;
            continue;
        }
        if (s[i] == '"')
            in_string = !in_string;
        else if (in_string ? (unsigned char)s[i] < 0x20 : s[i] == '\'' || s[i] == 'N' || s[i] == 'I')
            return i;
        else if (!in_string && s[i] == '.' && !isdigit((unsigned char)next))
            return i;
        else if (!in_string && s[i] == '-' && next == '0' && isdigit((unsigned char)after))
            return i;
    }
    return len;
}

/* The value of "\\uXXXX", or 0 if that does not stand there. */
static unsigned escaped(const char *s)
{
    unsigned value = 0;

    if (s[0] != '\\' || s[1] != 'u')
        return 0;
    for (int i = 2; i < 6; i++) {
        if (!isxdigit((unsigned char)s[i]))
            return 0;
        value = value << 4 | (unsigned)(isdigit((unsigned char)s[i]) ? s[i] - '0' : (s[i] | 0x20) - 'a' + 10);
    }
    return value;
}

/* Where a character beyond U+FFFF is written as two escapes and its lower sixteen bits look like a surrogate, json-c
 * makes U+FFFD of it [json-c pull request 893; 0.16 to 0.18]. Returns that character, or 0. */
static unsigned lost_pair(const char *s, size_t len)
{
    unsigned high = len < 12 ? 0 : escaped(s), low = len < 12 ? 0 : escaped(s + 6), c;

    if (high < 0xd800 || high > 0xdbff || low < 0xdc00 || low > 0xdfff)
        return 0;
    c = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
    return (c & 0xf800) == 0xd800 ? c : 0;
}

/* A copy in which such characters stand for themselves, or NULL if there are none. What is no JSON stays none. */
static char *mend_pairs(const char *s, size_t len, size_t *ret_len)
{
    char *copy = NULL;
    size_t out = 0, done = 0;

    for (const char *at; done < len && (at = memchr(s + done, '\\', len - done));) {
        size_t from = (size_t)(at - s);
        unsigned c = lost_pair(at, len - from);
        size_t next = c ? from + 12 : from + 2 < len ? from + 2 : len;

        if (c && !copy) {
            copy = mem_bytes(s, len);
            out = done;
        }
        if (copy) {
            size_t keep = (c ? from : next) - done;

            memcpy(copy + out, s + done, keep);
            out += keep;
        }
        if (c) {
            copy[out++] = (char)(0xf0 | c >> 18);
            copy[out++] = (char)(0x80 | (c >> 12 & 0x3f));
            copy[out++] = (char)(0x80 | (c >> 6 & 0x3f));
            copy[out++] = (char)(0x80 | (c & 0x3f));
        }
        done = next;
    }
    if (copy) {
        memcpy(copy + out, s + done, len - done);
        *ret_len = out + len - done;
    }
    return copy;
}

static int parse(const char *bytes, size_t len, int depth, struct json_object **ret_value, struct fault *f)
{
    struct json_tokener *t = json_tokener_new_ex(depth);
    struct json_object *v;
    enum json_tokener_error e;
    size_t used, lax;

    if (!t || len > INT32_MAX) {
        if (t)
            json_tokener_free(t);
        return fault_set(f, FAULT_TOO_BIG, "too large to be read as JSON");
    }
    if (!utf8_is_valid(bytes, len)) { /* json-c's own check lets surrogates and overlong forms pass */
        json_tokener_free(t);
        return fault_set(f, FAULT_INVALID, "not JSON: holds a NUL or what is not UTF-8");
    }
    json_tokener_set_flags(t, JSON_TOKENER_STRICT | JSON_TOKENER_ALLOW_TRAILING_CHARS);
    v = json_tokener_parse_ex(t, bytes, (int)len);
    e = json_tokener_get_error(t);
    if (e == json_tokener_continue) /* a number or a literal at the very end waits for what follows */
        v = json_tokener_parse_ex(t, "\0", 1);
    used = json_tokener_get_parse_end(t);
    if (e == json_tokener_continue) {
        e = json_tokener_get_error(t);
        used = len;
    }
    json_tokener_free(t);
    if (e != json_tokener_success) {
        json_object_put(v);
        return fault_set(f, FAULT_INVALID, "not JSON: %s at byte %zu", json_tokener_error_desc(e), used);
    }
    lax = find_lax(bytes, used);
    if (lax < used) {
        json_object_put(v);
        return fault_set(f, FAULT_INVALID, "not JSON: at byte %zu", lax);
    }
    for (; used < len; used++)
        if (!memchr(" \t\r\n", bytes[used], 4)) {
            json_object_put(v);
            return fault_set(f, FAULT_INVALID, "not JSON: more than one value, at byte %zu", used);
        }
    *ret_value = v;
    return 0;
}

int field_parse(const char *bytes, size_t len, int depth, struct json_object **ret_value, struct fault *f)
{
    _cleanup_free_ char *mended = mend_pairs(bytes, len, &len);

    return parse(mended ? mended : bytes, len, depth, ret_value, f);
}

void field_putp(struct json_object **value)
{
    json_object_put(*value);
}

int field_only(struct json_object *value, const char *const known[], struct fault *f)
{
    if (!json_object_is_type(value, json_type_object))
        return fault_set(f, FAULT_INVALID, "must be a JSON object");
    json_object_object_foreach(value, name, member)
    {
        size_t i = 0;

        (void)member;
        while (known[i] && strcmp(known[i], name) != 0)
            i++;
        if (!known[i])
            return fault_set(f, FAULT_INVALID, "unknown field \"%.*s\"", (int)utf8_floor(name, strnlen(name, 64)),
                             name);
    }
    return 0;
}

/* 1: there, and of a type that fits; 0: absent and optional; -1: fault. */
static int find(struct json_object *object, const char *name, enum field_need need, enum json_type type,
                struct json_object **ret, struct fault *f)
{
    struct json_object *v = NULL;

    json_object_object_get_ex(object, name, &v);
    if (!v) {
        if (need == FIELD_REQUIRED)
            return fault_set(f, FAULT_INVALID, "field \"%s\" is missing", name);
        return 0;
    }
    if (!json_object_is_type(v, type))
        return fault_set(f, FAULT_INVALID, "field \"%s\" must be of type %s, not %s", name, json_type_to_name(type),
                         json_type_to_name(json_object_get_type(v)));
    *ret = v;
    return 1;
}

static int check_string(struct json_object *v, const char *name, size_t max, bool nul_allowed, struct fault *f)
{
    size_t len = (size_t)json_object_get_string_len(v);

    if (len > max)
        return fault_set(f, FAULT_INVALID, "field \"%s\" has %zu bytes, at most %zu are allowed", name, len, max);
    if (!nul_allowed && memchr(json_object_get_string(v), '\0', len))
        return fault_set(f, FAULT_INVALID, "field \"%s\" holds a NUL character", name);
    return 0;
}

int field_string(struct json_object *object, const char *name, enum field_need need, size_t max, const char **ret,
                 struct fault *f)
{
    struct json_object *v;
    int r = find(object, name, need, json_type_string, &v, f);

    if (r <= 0)
        return r;
    if (check_string(v, name, max, false, f) < 0)
        return -1;
    *ret = json_object_get_string(v);
    return 0;
}

int field_bytes(struct json_object *object, const char *name, enum field_need need, size_t max, const char **ret,
                size_t *ret_len, struct fault *f)
{
    struct json_object *v;
    int r = find(object, name, need, json_type_string, &v, f);

    if (r <= 0)
        return r;
    if (check_string(v, name, max, true, f) < 0)
        return -1;
    *ret = json_object_get_string(v);
    *ret_len = (size_t)json_object_get_string_len(v);
    return 0;
}

int field_int(struct json_object *object, const char *name, enum field_need need, int64_t min, int64_t max,
              int64_t *ret, struct fault *f)
{
    struct json_object *v;
    int64_t n;
    int r = find(object, name, need, json_type_int, &v, f);

    if (r <= 0)
        return r;
    n = json_object_get_int64(v); /* clamps what does not fit: told by the unsigned reading */
    if (n < min || n > max || (n == INT64_MAX && json_object_get_uint64(v) != (uint64_t)n))
        return fault_set(f, FAULT_INVALID, "field \"%s\" must be between %lld and %lld", name, (long long)min,
                         (long long)max);
    *ret = n;
    return 0;
}

int field_milli(struct json_object *object, const char *name, enum field_need need, int64_t min, int64_t max,
                int64_t *ret, struct fault *f)
{
    struct json_object *v = NULL;
    double d;

    json_object_object_get_ex(object, name, &v);
    if (!v && need == FIELD_OPTIONAL)
        return 0;
    if (!json_object_is_type(v, json_type_int) && !json_object_is_type(v, json_type_double))
        return fault_set(f, FAULT_INVALID, v ? "field \"%s\" must be a number" : "field \"%s\" is missing", name);
    d = json_object_get_double(v) * 1000.0;
    if (!(d >= (double)min && d <= (double)max && fabs(d) <= MILLI_MAX))
        return fault_set(f, FAULT_INVALID, "field \"%s\" must be between %g and %g", name, (double)min / 1000.0,
                         (double)max / 1000.0);
    *ret = (int64_t)llround(d);
    return 0;
}

int field_bool(struct json_object *object, const char *name, enum field_need need, bool *ret, struct fault *f)
{
    struct json_object *v;
    int r = find(object, name, need, json_type_boolean, &v, f);

    if (r > 0)
        *ret = json_object_get_boolean(v);
    return r < 0 ? -1 : 0;
}

int field_object(struct json_object *object, const char *name, enum field_need need, struct json_object **ret,
                 struct fault *f)
{
    return find(object, name, need, json_type_object, ret, f) < 0 ? -1 : 0;
}

int field_array(struct json_object *object, const char *name, enum field_need need, size_t max,
                struct json_object **ret, struct fault *f)
{
    struct json_object *v;
    int r = find(object, name, need, json_type_array, &v, f);

    if (r <= 0)
        return r;
    if (json_object_array_length(v) > max)
        return fault_set(f, FAULT_INVALID, "field \"%s\" has more than %zu elements", name, max);
    *ret = v;
    return 0;
}

int field_element(struct json_object *array, size_t i, size_t max, const char **ret, struct fault *f)
{
    struct json_object *v = json_object_array_get_idx(array, i);
    char name[32];

    snprintf(name, sizeof(name), "[%zu]", i);
    if (!json_object_is_type(v, json_type_string))
        return fault_set(f, FAULT_INVALID, "element %s must be a string", name);
    if (check_string(v, name, max, false, f) < 0)
        return -1;
    *ret = json_object_get_string(v);
    return 0;
}

static struct json_object *peek(struct json_object *object, const char *name, enum json_type type)
{
    struct json_object *v = NULL;

    if (!json_object_is_type(object, json_type_object))
        return NULL;
    json_object_object_get_ex(object, name, &v);
    return json_object_is_type(v, type) ? v : NULL;
}

const char *field_peek_string(struct json_object *object, const char *name)
{
    struct json_object *v = peek(object, name, json_type_string);

    return v ? json_object_get_string(v) : NULL;
}

int64_t field_peek_int(struct json_object *object, const char *name, int64_t absent)
{
    const int64_t exact = INT64_C(1) << 53;
    struct json_object *v = peek(object, name, json_type_int);
    int64_t n = v ? json_object_get_int64(v) : absent;

    return n < -exact || n > exact ? absent : n;
}

bool field_peek_bool(struct json_object *object, const char *name)
{
    struct json_object *v = peek(object, name, json_type_boolean);

    return v && json_object_get_boolean(v);
}

struct json_object *field_peek(struct json_object *object, const char *name)
{
    struct json_object *v = peek(object, name, json_type_object);

    return v ? v : peek(object, name, json_type_array);
}
