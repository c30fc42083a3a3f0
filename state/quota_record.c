/* quota_record.c -- packs and unpacks the records of the journal; CRC-32C guards each. */
#include "state/quota_record.h"

#define MAGIC_SIZE 4
#define BODY 8 /* After magic and checksum. */
#define NUMBERS 7
#define AMOUNT_MAX (1ull << 62)
#define SECONDS_MAX 253402300800ull /* The year 10000. */

static const char magics[RECORD_KIND_COUNT][MAGIC_SIZE + 1] = {
    [RECORD_ADD] = "tqA1",
    [RECORD_ROW] = "tqR1",
    [RECORD_HEAD] = "tqH1",
};

_Static_assert(BODY + 8 * NUMBERS + 1 + QUOTA_KEY_SIZE <= QUOTA_RECORD_SIZE, "a record holds it");

/* CRC-32C, four bits a step. */
static uint32_t
checksum(const unsigned char *data, size_t len)
{
    static const uint32_t table[16] = {
        0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
        0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
        0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
    };
    uint32_t crc = ~0u;

    for (size_t i = 0; i < len; i++) {
        crc = table[(crc ^ data[i]) & 15] ^ (crc >> 4);
        crc = table[(crc ^ (data[i] >> 4)) & 15] ^ (crc >> 4);
    }
    return ~crc;
}

static void
put(unsigned char *out, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) {
        out[i] = (unsigned char)(value >> (8 * i));
    }
}

static uint64_t
get(const unsigned char *in, unsigned bytes)
{
    uint64_t value = 0;

    for (unsigned i = bytes; i-- > 0;) {
        value = value << 8 | in[i];
    }
    return value;
}

void
quota_record_put(enum quota_record_kind kind, const struct quota_add *add,
                 unsigned char out[QUOTA_RECORD_SIZE])
{
    const uint64_t numbers[NUMBERS] = {
        add->id,
        (uint64_t)add->window.start,
        (uint64_t)add->day,
        add->more.used,
        add->more.released,
        add->more_today.used,
        add->more_today.released,
    };

    memset(out, 0, QUOTA_RECORD_SIZE);
    memcpy(out, magics[kind], MAGIC_SIZE);
    for (unsigned i = 0; i < NUMBERS; i++) {
        put(out + BODY + 8 * i, numbers[i], 8);
    }
    out[BODY + 8 * NUMBERS] = (unsigned char)add->window.period;
    memcpy(out + BODY + 8 * NUMBERS + 1, add->key, strnlen(add->key, QUOTA_KEY_SIZE - 1));
    put(out + MAGIC_SIZE, checksum(out + BODY, QUOTA_RECORD_SIZE - BODY), 4);
}

bool
quota_record_get(enum quota_record_kind kind, const unsigned char in[QUOTA_RECORD_SIZE],
                 struct quota_add *add)
{
    uint64_t numbers[NUMBERS];
    unsigned period = in[BODY + 8 * NUMBERS];

    if (memcmp(in, magics[kind], MAGIC_SIZE) != 0 ||
        get(in + MAGIC_SIZE, 4) != checksum(in + BODY, QUOTA_RECORD_SIZE - BODY) ||
        period >= PERIOD_COUNT || in[QUOTA_RECORD_SIZE - 1] != 0) {
        return false;
    }
    for (unsigned i = 0; i < NUMBERS; i++) {
        numbers[i] = get(in + BODY + 8 * i, 8);
        if (i > 0 && numbers[i] > (i < 3 ? SECONDS_MAX : AMOUNT_MAX)) {
            return false; /* Nothing that we wrote. */
        }
    }
    *add = (struct quota_add){
        .id = numbers[0],
        .window = quota_window_from((enum quota_period)period, (int64_t)numbers[1]),
        .day = (int64_t)numbers[2],
        .more = {numbers[3], numbers[4]},
        .more_today = {numbers[5], numbers[6]},
    };
    memcpy(add->key, in + BODY + 8 * NUMBERS + 1, QUOTA_KEY_SIZE - 1);
    return true;
}
