/* test_ws_frame.c -- heads of frames at the lengths where their form changes, and frames that are
 * written together. */
#include "tests/check.h"

#include "transports/ws_frame.h"

static void
a_head_has_the_shortest_length(void **state)
{
    static const struct {
        size_t len, head;
        unsigned char bytes[WS_HEAD_MAX];
    } cases[] = {
        {0, 2, {0x81, 0}},
        {125, 2, {0x81, 125}},
        {126, 4, {0x81, 126, 0, 126}},
        {256, 4, {0x81, 126, 1, 0}},
        {65535, 4, {0x81, 126, 0xff, 0xff}},
        {65536, 10, {0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0}},
        {(size_t)16 << 20, 10, {0x81, 127, 0, 0, 0, 0, 1, 0, 0, 0}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char room[WS_HEAD_MAX + 1] = {0};
        size_t len = ws_frame_head(room + WS_HEAD_MAX, cases[i].len);

        CHECK_INT(len, cases[i].head);
        CHECK(memcmp(room + WS_HEAD_MAX - len, cases[i].bytes, len) == 0);
        CHECK_INT(room[WS_HEAD_MAX], 0);
    }
}

static void
frames_stand_one_behind_the_other(void **state)
{
    static const struct slice parts[] = {{"ab", 2}, {NULL, 0}, {"cd", 2}};
    char room[16];
    struct ws_batch batch = {.data = room, .size = sizeof room};

    (void)state;
    CHECK(ws_batch_add(&batch, parts, 3));
    CHECK(ws_batch_add(&batch, NULL, 0));
    CHECK_INT(batch.len, 8);
    CHECK(memcmp(room,
                 "\x81\x04"
                 "abcd\x81\x00",
                 8) == 0);
}

static void
what_has_no_room_is_not_begun(void **state)
{
    static const struct slice eight[] = {{"12345678", 8}}, seven[] = {{"1234567", 7}};
    const struct slice large = {"", SIZE_MAX - 4};
    char room[18];
    struct ws_batch batch = {.data = room, .size = sizeof room};

    (void)state;
    CHECK(ws_batch_add(&batch, seven, 1));
    CHECK_INT(batch.len, 9);
    CHECK(!ws_batch_add(&batch, eight, 1)); /* One byte short. */
    CHECK_INT(batch.len, 9);
    CHECK(!ws_batch_add(&batch, &large, 1));
    CHECK(ws_batch_add(&batch, seven, 1));
    CHECK_INT(batch.len, sizeof room);
    CHECK(!ws_batch_add(&batch, NULL, 0));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_has_the_shortest_length),
        cmocka_unit_test(frames_stand_one_behind_the_other),
        cmocka_unit_test(what_has_no_room_is_not_begun),
    };
    return CHECK_RUN(tests);
}
