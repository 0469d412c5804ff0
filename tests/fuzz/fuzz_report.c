/* A termination message, and the end of a log, of any bytes: the first byte says which. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "worker/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_message(const char *bytes, size_t len)
{
    struct report *r = NULL;
    struct report_pointer p = {0};
    struct fault f = FAULT_INIT;

    if (report_read(bytes, len, REPORT_EXIT_CODE, &r, &p, &f) < 0 ? f.kind == FAULT_NONE || r || p.lines
                                                                  : !r && !p.lines)
        abort();
    report_free(r);
}

/* Everything is as the pointer says, however the bytes are cut into lines. */
static void join(const char *bytes, size_t len)
{
    struct report_pointer p = {.lines = 1, .bytes = (int64_t)len};
    char *tail = malloc(len + 1);
    struct report *r = NULL;
    struct fault f = FAULT_INIT;

    if (!tail)
        abort();
    for (size_t i = 0; i < len; i++)
        p.lines += bytes[i] == '\n';
    p.bytes -= p.lines - 1;
    memcpy(tail, bytes, len);
    tail[len] = '\n';
    digest_sha256_hex("", 0, p.digest);
    if (p.bytes > 0 && report_join(&p, tail, len + 1, &r, &f) == 0)
        abort(); /* that digest is of something else */
    digest_sha256_hex(bytes, len, p.digest);
    if (p.lines == 1 && len > 0 && len <= REPORT_LINE_MAX && report_join(&p, tail, len + 1, &r, &f) < 0 &&
        f.kind != FAULT_INVALID)
        abort(); /* the right bytes, and not taken for them */
    report_free(r);
    free(tail);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] == 'j')
        join((const char *)data + 1, size - 1);
    else
        read_message((const char *)data + 1, size - 1);
    return 0;
}
