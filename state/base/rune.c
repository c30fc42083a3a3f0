/* rune.c -- strict UTF-8, and character kinds by ranges. */
#include "state/base/rune.h"

size_t
rune_decode(struct slice s, size_t at, uint32_t *rune)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *p = (const unsigned char *)s.data + at;
    size_t left = s.len - at;
    size_t n;
    uint32_t r;

    if (p[0] < 0x80) {
        *rune = p[0];
        return 1;
    }
    if (p[0] >= 0xC2 && p[0] <= 0xDF) {
        n = 2;
        r = p[0] & 0x1Fu;
    } else if (p[0] >= 0xE0 && p[0] <= 0xEF) {
        n = 3;
        r = p[0] & 0x0Fu;
    } else if (p[0] >= 0xF0 && p[0] <= 0xF4) {
        n = 4;
        r = p[0] & 0x07u;
    } else {
        return 0;
    }
    if (left < n) {
        return 0;
    }
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xC0) != 0x80) {
            return 0;
        }
        r = r << 6 | (p[i] & 0x3Fu);
    }
    if (r < least[n] || r > 0x10FFFF || (r >= 0xD800 && r <= 0xDFFF)) {
        return 0;
    }
    *rune = r;
    return n;
}

size_t
rune_encode(uint32_t rune, char out[4])
{
    if (rune < 0x80) {
        out[0] = (char)rune;
        return 1;
    }
    if (rune < 0x800) {
        out[0] = (char)(0xC0 | rune >> 6);
        out[1] = (char)(0x80 | (rune & 0x3F));
        return 2;
    }
    if (rune < 0x10000) {
        out[0] = (char)(0xE0 | rune >> 12);
        out[1] = (char)(0x80 | (rune >> 6 & 0x3F));
        out[2] = (char)(0x80 | (rune & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | rune >> 18);
    out[1] = (char)(0x80 | (rune >> 12 & 0x3F));
    out[2] = (char)(0x80 | (rune >> 6 & 0x3F));
    out[3] = (char)(0x80 | (rune & 0x3F));
    return 4;
}

bool
rune_valid(struct slice s)
{
    uint32_t rune;

    for (size_t at = 0; at < s.len;) {
        size_t n = rune_decode(s, at, &rune);
        if (!n) {
            return false;
        }
        at += n;
    }
    return true;
}

size_t
rune_count(struct slice s)
{
    size_t count = 0;

    for (size_t i = 0; i < s.len; i++) {
        count += ((unsigned char)s.data[i] & 0xC0) != 0x80;
    }
    return count;
}

size_t
rune_cut(struct slice s, size_t max)
{
    size_t len = max;

    if (s.len <= max) {
        return s.len;
    }
    while (len > 0 && ((unsigned char)s.data[len] & 0xC0) == 0x80) {
        len--;
    }
    return len;
}

bool
rune_is_digit(uint32_t rune)
{
    return (rune >= '0' && rune <= '9') || (rune >= 0xFF10 && rune <= 0xFF19);
}

bool
rune_is_space(uint32_t rune)
{
    return rune == ' ' || (rune >= 0x09 && rune <= 0x0D) || (rune >= 0x1C && rune <= 0x1F) ||
           rune == 0x85 || rune == 0xA0 || rune == 0x1680 || (rune >= 0x2000 && rune <= 0x200A) ||
           rune == 0x2028 || rune == 0x2029 || rune == 0x202F || rune == 0x205F || rune == 0x3000;
}

/* Blocks above Latin-1 that hold no letters: first and last code point. */
static const uint32_t no_letters[][2] = {
    {0x02C2, 0x02C5}, {0x02D2, 0x02DF}, {0x0300, 0x036F},   {0x037E, 0x037E},    {0x0387, 0x0387},
    {0x0482, 0x0489}, {0x055A, 0x055F}, {0x0589, 0x058F},   {0x1680, 0x1680},    {0x2000, 0x206F},
    {0x20A0, 0x20FF}, {0x2190, 0x245F}, {0x249C, 0x24E9},   {0x2500, 0x2775},    {0x2794, 0x2BFF},
    {0x2E00, 0x2E7F}, {0x3000, 0x3004}, {0x3008, 0x3020},   {0x3030, 0x3030},    {0xD800, 0xF8FF},
    {0xFE00, 0xFE6F}, {0xFEFF, 0xFEFF}, {0xFF01, 0xFF0F},   {0xFF1A, 0xFF20},    {0xFF3B, 0xFF40},
    {0xFF5B, 0xFF65}, {0xFFE0, 0xFFFF}, {0x1F000, 0x1FAFF}, {0xE0000, 0x10FFFF},
};

/* Of the second half of Latin-1. */
static bool
is_latin_alnum(uint32_t rune)
{
    return rune == 0xAA || rune == 0xB2 || rune == 0xB3 || rune == 0xB5 || rune == 0xB9 ||
           rune == 0xBA || (rune >= 0xBC && rune <= 0xBE) ||
           (rune >= 0xC0 && rune != 0xD7 && rune != 0xF7);
}

bool
rune_is_alnum(uint32_t rune)
{
    if (rune < 0x80) {
        return (rune >= '0' && rune <= '9') || (rune >= 'A' && rune <= 'Z') ||
               (rune >= 'a' && rune <= 'z');
    }
    if (rune < 0x100) {
        return is_latin_alnum(rune);
    }
    for (size_t i = 0; i < sizeof no_letters / sizeof no_letters[0]; i++) {
        if (rune >= no_letters[i][0] && rune <= no_letters[i][1]) {
            return false;
        }
    }
    return true;
}

uint32_t
rune_lower(uint32_t r)
{
    if ((r >= 'A' && r <= 'Z') || (r >= 0xC0 && r <= 0xDE && r != 0xD7) ||
        (r >= 0x391 && r <= 0x3AB && r != 0x3A2) || (r >= 0x410 && r <= 0x42F)) {
        return r + 0x20;
    }
    if (r >= 0x400 && r <= 0x40F) {
        return r + 0x50;
    }
    if ((r >= 0x100 && r <= 0x12F) || (r >= 0x14A && r <= 0x177) || (r >= 0x460 && r <= 0x481)) {
        return r | 1;
    }
    return r;
}

uint32_t
rune_upper(uint32_t r)
{
    if ((r >= 'a' && r <= 'z') || (r >= 0xE0 && r <= 0xFE && r != 0xF7) ||
        (r >= 0x3B1 && r <= 0x3CB && r != 0x3C2) || (r >= 0x430 && r <= 0x44F)) {
        return r - 0x20;
    }
    if (r >= 0x450 && r <= 0x45F) {
        return r - 0x50;
    }
    if ((r >= 0x100 && r <= 0x12F) || (r >= 0x14A && r <= 0x177) || (r >= 0x460 && r <= 0x481)) {
        return r & ~1u;
    }
    return r;
}
