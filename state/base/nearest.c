/* nearest.c -- edit distance between short words. */
#include "state/base/nearest.h"

#include <ctype.h>

#define LONGEST 64

static unsigned
least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Neither is longer than LONGEST. */
static unsigned
distance(struct slice a, struct slice b)
{
    unsigned rows[3][LONGEST + 1];
    unsigned *before = rows[0], *above = rows[1], *row = rows[2];

    for (unsigned j = 0; j <= b.len; j++) {
        above[j] = j;
        before[j] = 0;
    }
    for (size_t i = 1; i <= a.len; i++) {
        unsigned *spare = before;
        int ca = tolower((unsigned char)a.data[i - 1]);

        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b.len; j++) {
            int cb = tolower((unsigned char)b.data[j - 1]);
            unsigned best = least(above[j], row[j - 1]) + 1;

            best = least(best, above[j - 1] + (ca != cb));
            if (i > 1 && j > 1 && ca == tolower((unsigned char)b.data[j - 2]) &&
                cb == tolower((unsigned char)a.data[i - 2])) {
                best = least(best, before[j - 2] + 1);
            }
            row[j] = best;
        }
        before = above;
        above = row;
        row = spare;
    }
    return above[b.len];
}

int
text_nearest(struct slice text, const char *const *words, size_t count)
{
    int found = -1;
    unsigned best = (unsigned)-1;

    if (text.len == 0 || text.len > LONGEST) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        struct slice word = slice_of(words[i]);
        unsigned allowed = word.len / 3 > 2 ? (unsigned)(word.len / 3) : 2;
        unsigned d = word.len > LONGEST ? allowed + 1 : distance(text, word);

        if (d <= allowed && d < word.len && d < best) {
            best = d;
            found = (int)i;
        }
    }
    return found;
}
