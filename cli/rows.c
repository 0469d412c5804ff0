#include "cli/rows.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/field.h"
#include "base/mem.h"
#include "cli/lines.h"
#include "cli/snippet.h"

enum { DEPTH_MAX = 32, ADDED_MAX = 256 /* what id and reply_to add to a line */ };

/* As long as the names that are derived when the digest is known. */
static const char sample_digest[] = "0000000000000000000000000000000000000000000000000000000000000000";

static char *derive_id(const char *digest, size_t line)
{
    return mem_format("b%.16s-%zu", digest, line);
}

static void derive_reply_to(const char *digest, char name[static 32])
{
    snprintf(name, 32, "batch-%.20s", digest);
}

/* The line with two members put in front of its others. */
static int add_members(const char *line, size_t len, const char *id, const char *reply_to, struct buf *into,
                       struct fault *f)
{
    const char *brace = memchr(line, '{', len);

    buf_clear(into);
    if (!brace)
        return fault_set(f, FAULT_INVALID, "not a JSON object");
    if (buf_add_string(into, "{", f) < 0 || (id && buf_addf(into, f, "\"id\":\"%s\",", id) < 0) ||
        buf_addf(into, f, "\"reply_to\":\"%s\",", reply_to) < 0)
        return -1;
    return buf_add(into, brace + 1, len - (size_t)(brace + 1 - line), f);
}

static uint64_t check_of(const unsigned char sum[DIGEST_BYTES])
{
    uint64_t check;

    memcpy(&check, sum, sizeof(check));
    return check;
}

/* Digest of all lines so far: of the digest before and of this line's own. */
static void chain(unsigned char sum[DIGEST_BYTES], const unsigned char line[DIGEST_BYTES])
{
    unsigned char both[2 * DIGEST_BYTES];

    memcpy(both, sum, DIGEST_BYTES);
    memcpy(both + DIGEST_BYTES, line, DIGEST_BYTES);
    digest_sha256(both, sizeof(both), sum);
}

static bool is_blank(const struct line *line)
{
    size_t i = 0;

    while (i < line->len && memchr(" \t\r", line->bytes[i], 3))
        i++;
    return i == line->len && !line->too_long;
}

/* ---- one line ---- */

/* Whether the line has an id, and that it leaves reply_to alone. */
static int inspect(const struct line *line, bool *ret_has_id, struct fault *f)
{
    _cleanup_(field_putp)
    struct json_object *root = NULL;

    if (line->too_long)
        return fault_set(f, FAULT_TOO_BIG, "longer than %zu bytes", snippet_limits()->payload_max);
    if (field_parse(line->bytes, line->len, DEPTH_MAX, &root, f) < 0)
        return -1;
    if (!json_object_is_type(root, json_type_object))
        return fault_set(f, FAULT_INVALID, "must be a JSON object");
    if (json_object_object_get_ex(root, "reply_to", NULL))
        return fault_set(f, FAULT_INVALID, "reply_to is for the batch to set");
    *ret_has_id = json_object_object_get_ex(root, "id", NULL);
    return 0;
}

static int check_line(const struct line *line, struct row *row, struct fault *f)
{
    _cleanup_(buf_release)
    struct buf payload = BUF_INIT(snippet_limits()->payload_max + ADDED_MAX);
    _cleanup_(request_freep)
    struct request *request = NULL;
    _cleanup_free_ char *sample_id = derive_id(sample_digest, line->number), *id = NULL;
    char reply_to[32];
    bool has_id = false;

    if (inspect(line, &has_id, f) < 0)
        return -1;
    derive_reply_to(sample_digest, reply_to);
    if (add_members(line->bytes, line->len, has_id ? NULL : sample_id, reply_to, &payload, f) < 0 ||
        request_parse(buf_str(&payload), payload.len, snippet_limits(), &request, &id, f) < 0)
        return -1;
    row->derived_id = !has_id;
    row->id = has_id ? mem_string(request->id) : NULL;
    return 0;
}

/* ---- the file ---- */

struct reading {
    struct rows *rows;
    size_t room;
    unsigned char sum[DIGEST_BYTES];
    rows_complaint_fn *complain;
    void *arg;
    size_t wrong;
};

static void complain(struct reading *r, size_t line, const char *text)
{
    r->wrong++;
    r->complain(r->arg, line, text);
}

static void read_line(struct reading *r, const struct line *line)
{
    struct row row = {.offset = line->offset, .len = line->len, .line = line->number};
    unsigned char sum[DIGEST_BYTES];
    struct fault f = FAULT_INIT;

    digest_sha256(line->bytes, line->len, sum);
    chain(r->sum, sum);
    row.check = check_of(sum);
    if (is_blank(line))
        return;
    if (check_line(line, &row, &f) < 0) {
        complain(r, line->number, f.text);
        return;
    }
    if (r->rows->n == r->room) {
        r->room = r->room ? 2 * r->room : 256;
        r->rows->list = mem_resize(r->rows->list, r->room, sizeof(*r->rows->list));
    }
    r->rows->list[r->rows->n++] = row;
}

static int read_lines(struct reading *r, struct fault *f)
{
    _cleanup_(lines_freep)
    struct lines *lines = lines_new(r->rows->fd, snippet_limits()->payload_max);
    struct line line;
    int more;

    while ((more = lines_next(lines, &line, f)) > 0)
        read_line(r, &line);
    return more;
}

/* With the digest known: the ids that are derived from it, and that no id stands there twice. */
static void name_rows(struct reading *r)
{
    struct rows *rows = r->rows;

    for (size_t i = 0; i < DIGEST_BYTES; i++)
        snprintf(rows->digest + 2 * i, 3, "%02x", r->sum[i]);
    derive_reply_to(rows->digest, rows->reply_to);
    rows->by_id = lh_kchar_table_new((int)(rows->n < 1000        ? 2000
                                           : rows->n > 100000000 ? 200000000
                                                                 : 2 * rows->n),
                                     NULL);
    for (size_t i = 0; i < rows->n; i++) {
        struct row *row = &rows->list[i], *other;

        if (row->derived_id)
            row->id = derive_id(rows->digest, row->line);
        other = rows_find(rows, row->id);
        if (other) {
            _cleanup_free_ char *text = mem_format("id \"%s\" stands in line %zu too", row->id, other->line);

            complain(r, row->line, text);
        } else {
            lh_table_insert(rows->by_id, row->id, row);
        }
    }
}

static int open_input(const char *path, struct fault *f)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;

    if (fd < 0)
        return fault_errno(f, errno, "cannot open %.150s", path);
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return fault_set(f, FAULT_INVALID, "%.150s is not a plain file; a batch is read more than once", path);
    }
    return fd;
}

int rows_read(const char *path, const char *salt, rows_complaint_fn *complain_to, void *arg, struct rows **ret,
              struct fault *f)
{
    _cleanup_(rows_freep)
    struct rows *rows = mem_new(struct rows);
    struct reading r = {.rows = rows, .complain = complain_to, .arg = arg};

    digest_sha256(salt, strlen(salt), r.sum);
    rows->fd = open_input(path, f);
    if (rows->fd < 0)
        return -1;
    if (read_lines(&r, f) < 0)
        return fault_wrap(f, "%.150s", path);
    name_rows(&r);
    if (r.wrong)
        return fault_set(f, FAULT_INVALID, "%.150s: %zu line%s wrong, so nothing was submitted", path, r.wrong,
                         r.wrong == 1 ? " is" : "s are");
    if (rows->n == 0)
        return fault_set(f, FAULT_INVALID, "%.150s holds no request", path);
    *ret = TAKE(rows);
    return 0;
}

void rows_free(struct rows *r)
{
    if (r->by_id)
        lh_table_free(r->by_id);
    for (size_t i = 0; i < r->n; i++)
        free(r->list[i].id);
    free(r->list);
    if (r->fd >= 0)
        close(r->fd);
    free(r);
}

struct row *rows_find(const struct rows *r, const char *id)
{
    void *row = NULL;

    return lh_table_lookup_ex(r->by_id, id, &row) ? row : NULL;
}

int rows_payload(const struct rows *r, const struct row *row, struct buf *into, struct fault *f)
{
    _cleanup_(buf_release)
    struct buf line = BUF_INIT(snippet_limits()->payload_max);
    unsigned char sum[DIGEST_BYTES];

    if (lines_read_at(r->fd, row->offset, row->len, &line, f) < 0)
        return fault_wrap(f, "line %zu of the input", row->line);
    digest_sha256(buf_str(&line), line.len, sum);
    if (check_of(sum) != row->check)
        return fault_set(f, FAULT_INVALID, "line %zu of the input has changed since the batch began", row->line);
    return add_members(line.data, line.len, row->derived_id ? row->id : NULL, r->reply_to, into, f);
}
