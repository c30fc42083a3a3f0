/* The gate on frames whole, byte by byte, and in every cut.  What each violation gets over a real
 * connection is in tests/transport/test_ws_hostile.c. */
#include "tests/check.h"

#include "transports/ws_gate.h"

#include <stdlib.h>
#include <string.h>

#define MASK "\x01\x02\x03\x04"
#define MAX 1000

struct row {
    const char *bytes;
    size_t len;
    const char *passed;
    size_t passed_len;
    enum ws_close refused;
};

/* Passes a row in pieces of 'piece' bytes. */
static void
pass(const struct row *row, size_t piece)
{
    char *bytes = malloc(row->len + 1), *out = malloc(row->len + 1);
    size_t out_len = 0;
    struct ws_gate g;

    memcpy(bytes, row->bytes, row->len);
    ws_gate_init(&g, MAX);
    for (size_t at = 0; at < row->len; at += piece) {
        size_t n = row->len - at < piece ? row->len - at : piece;
        size_t passed = ws_gate_pass(&g, bytes + at, n);

        memcpy(out + out_len, bytes + at, passed);
        out_len += passed;
    }
    CHECK_INT(g.refused, row->refused);
    CHECK(g.refused ? g.why != NULL && strlen(g.why) <= 123 : g.why == NULL);
    CHECK(out_len >= row->passed_len);
    assert_memory_equal(out, row->passed, row->passed_len);
    CHECK(g.refused || out_len == row->passed_len);
    free(bytes);
    free(out);
}

#define ROW(IN, OUT, CODE)                             \
    {                                                  \
        IN, sizeof(IN) - 1, OUT, sizeof(OUT) - 1, CODE \
    }
#define TEXT_FRAME "\x81\x82" MASK "ab"
#define PONG_FRAME "\x8a\x83" MASK "abc"
#define PING_FRAME "\x89\x80" MASK

static void
every_cut_says_the_same(void **state)
{
    static const struct row rows[] = {
        ROW(TEXT_FRAME TEXT_FRAME, TEXT_FRAME TEXT_FRAME, 0),
        ROW(PONG_FRAME, "", 0),
        ROW(PONG_FRAME TEXT_FRAME PONG_FRAME PONG_FRAME PING_FRAME, TEXT_FRAME PING_FRAME, 0),
        ROW("\x01\x81" MASK "a" PONG_FRAME "\x00\x80" MASK PING_FRAME "\x80\x81" MASK "b",
            "\x01\x81" MASK "a"
            "\x00\x80" MASK PING_FRAME "\x80\x81" MASK "b",
            0),
        ROW("\x88\x80" MASK, "\x88\x80" MASK, 0),
        ROW("\x88\x82" MASK "\x02\xea", "\x88\x82" MASK "\x02\xea", 0),     /* 1000 */
        ROW("\x88\x84" MASK "\x02\xeahi", "\x88\x84" MASK "\x02\xeahi", 0), /* With a reason. */
        ROW("\x88\x82" MASK "\x12\x8a", "", WS_CLOSE_PROTOCOL),             /* 5000 */
        ROW(TEXT_FRAME "\x83\x80" MASK, TEXT_FRAME, WS_CLOSE_PROTOCOL),
        ROW(TEXT_FRAME "\x81\x00", TEXT_FRAME, WS_CLOSE_PROTOCOL),
        ROW("\x82\x80" MASK, "", WS_CLOSE_NO_TEXT),
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (size_t piece = 1; piece <= rows[i].len; piece++) {
            pass(&rows[i], piece);
        }
    }
}

/* Passes one head, announcing 'len' bytes. */
static enum ws_close
announce(struct ws_gate *g, unsigned first, size_t len)
{
    char head[8] = {(char)first, (char)(0x80 | (len > 125 ? 126 : len)), (char)(len >> 8),
                    (char)len};

    ws_gate_pass(g, head, len > 125 ? 8 : 6);
    return g->refused;
}

/* And its payload. */
static void
follow(struct ws_gate *g, size_t len)
{
    char payload[MAX] = {0};

    CHECK_INT(ws_gate_pass(g, payload, len), len);
}

static void
a_message_is_bounded_over_its_fragments(void **state)
{
    struct ws_gate g;

    (void)state;
    ws_gate_init(&g, MAX);
    CHECK_INT(announce(&g, 0x81, MAX), 0);
    follow(&g, MAX);
    CHECK_INT(announce(&g, 0x01, 600), 0);
    follow(&g, 600);
    CHECK_INT(announce(&g, 0x00, 400), 0);
    follow(&g, 400);
    CHECK_INT(announce(&g, 0x80, 0), 0);
    CHECK_INT(announce(&g, 0x01, 600), 0);
    follow(&g, 600);
    CHECK_INT(announce(&g, 0x89, 125), 0); /* Control frames do not count. */
    follow(&g, 125);
    CHECK_INT(announce(&g, 0x80, 401), WS_CLOSE_TOO_LARGE);
}

static void
a_message_has_at_most_so_many_fragments(void **state)
{
    struct ws_gate g;

    (void)state;
    ws_gate_init(&g, MAX);
    CHECK_INT(announce(&g, 0x01, 0), 0);
    for (int i = 1; i < WS_FRAGMENTS_MAX; i++) {
        CHECK_INT(announce(&g, 0x00, 0), 0);
    }
    CHECK_INT(announce(&g, 0x80, 0), WS_CLOSE_POLICY);
}

/* Any bytes end in a refusal or in a state that takes more; nothing is read past the end. */
static void
noise_does_no_harm(void **state)
{
    uint32_t seed = 1;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        size_t len = 1 + (size_t)round % 40;
        char *bytes = malloc(len);
        struct ws_gate g;

        for (size_t i = 0; i < len; i++) {
            seed = seed * 1664525 + 1013904223;
            bytes[i] = (char)(seed >> 24);
        }
        if (round % 2) {
            bytes[0] = (char)(round % 16 | 0x80);
        }
        ws_gate_init(&g, MAX);
        CHECK(ws_gate_pass(&g, bytes, len) <= len);
        CHECK(g.have <= g.need && g.need <= sizeof g.head);
        free(bytes);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cut_says_the_same),
        cmocka_unit_test(a_message_is_bounded_over_its_fragments),
        cmocka_unit_test(a_message_has_at_most_so_many_fragments),
        cmocka_unit_test(noise_does_no_harm),
    };

    return CHECK_RUN(tests);
}
