#include "unit/check.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/mem.h"

/* FIPS 180-2, appendix B, and the empty message. */
static void sha256(void **state)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    char hex[DIGEST_HEX];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        digest_sha256_hex(rows[i].text, strlen(rows[i].text), hex);
        assert_string_equal(hex, rows[i].want);
    }
}

/* RFC 4648, section 10, in lower case and without padding. */
static void base32(void **state)
{
    static const struct {
        const char *text;
        size_t chars;
        const char *want;
    } rows[] = {
        {"f\0", 2, "my"},         {"fo\0", 4, "mzxq"}, {"foo\0", 5, "mzxw6"}, {"foob\0", 7, "mzxw6yq"},
        {"fooba", 8, "mzxw6ytb"}, {"fooba", 1, "m"},   {"", 0, ""},
    };
    char out[16];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        memset(out, 'x', sizeof(out));
        digest_base32((const unsigned char *)rows[i].text, rows[i].chars, out);
        assert_string_equal(out, rows[i].want);
    }
}

/* RFC 4648, section 10, there and back. */
static void base64(void **state)
{
    static const struct {
        const char *text, *coded;
    } rows[] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        _cleanup_(buf_release)
        struct buf coded = BUF_INIT(100);
        _cleanup_(buf_release)
        struct buf plain = BUF_INIT(100);
        struct fault f = FAULT_INIT;

        assert_int_equal(digest_base64_encode(rows[i].text, strlen(rows[i].text), &coded, &f), 0);
        assert_string_equal(buf_str(&coded), rows[i].coded);
        assert_int_equal(digest_base64_decode(rows[i].coded, strlen(rows[i].coded), &plain, &f), 0);
        assert_string_equal(buf_str(&plain), rows[i].text);
        assert_int_equal(plain.len, strlen(rows[i].text));
    }
}

static void what_is_not_base64(void **state)
{
    static const struct {
        const char *text;
        int want;
    } rows[] = {
        {"Zm9v\nYmFy\n", 0}, {" Z m 9 v ", 0}, {"\r\n\t", 0},    {"Zm9", -1},      {"Z", -1},
        {"=", -1},           {"====", -1},     {"Z===", -1},     {"Zg==Zg==", -1}, {"Zg=a", -1},
        {"Zm9v!mFy", -1},    {"Zm-v", -1},     {"Zm_v", -1},     {"Zm9v----", -1}, {"----", -1},
        {"Zm9v\x80===", -1}, {"Zm9v#abc", -1}, {"Zg==----", -1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        _cleanup_(buf_release)
        struct buf b = BUF_INIT(100);
        struct fault f = FAULT_INIT;

        row_true(rows[i].text, digest_base64_decode(rows[i].text, strlen(rows[i].text), &b, &f) == rows[i].want);
        row_true(rows[i].text, rows[i].want == 0 || (b.len == 0 && f.kind == FAULT_INVALID));
    }
}

static void a_nul_inside_is_no_base64(void **state)
{
    _cleanup_(buf_release)
    struct buf b = BUF_INIT(100);
    struct fault f = FAULT_INIT;

    (void)state;
    assert_int_equal(digest_base64_decode("Zm9\0", 4, &b, &f), -1);
}

static void both_ways_obey_the_ceiling(void **state)
{
    _cleanup_(buf_release)
    struct buf b = BUF_INIT(5);
    struct fault f = FAULT_INIT;

    (void)state;
    assert_int_equal(digest_base64_encode("foobar", 6, &b, &f), -1);
    assert_int_equal(f.kind, FAULT_TOO_BIG);
    f.kind = FAULT_NONE;
    assert_int_equal(digest_base64_decode("Zm9vYmFy", 8, &b, &f), -1);
    assert_int_equal(f.kind, FAULT_TOO_BIG);
    assert_int_equal(digest_base64_decode("Zm9vYmE=", 8, &b, &f), 0);
    assert_string_equal(buf_str(&b), "fooba");
}

static void every_byte_survives_the_round(void **state)
{
    unsigned char bytes[1024];

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(i * 7 + i / 256);
    for (size_t len = 0; len <= sizeof(bytes); len += len < 10 ? 1 : 111) {
        _cleanup_(buf_release)
        struct buf coded = BUF_INIT(10000);
        _cleanup_(buf_release)
        struct buf back = BUF_INIT(10000);
        struct fault f = FAULT_INIT;

        assert_int_equal(digest_base64_encode(bytes, len, &coded, &f), 0);
        assert_int_equal(digest_base64_decode(buf_str(&coded), coded.len, &back, &f), 0);
        assert_int_equal(back.len, len);
        if (len)
            assert_memory_equal(back.data, bytes, len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256),
        cmocka_unit_test(base32),
        cmocka_unit_test(base64),
        cmocka_unit_test(what_is_not_base64),
        cmocka_unit_test(a_nul_inside_is_no_base64),
        cmocka_unit_test(both_ways_obey_the_ceiling),
        cmocka_unit_test(every_byte_survives_the_round),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
