/* scope.c -- the rows of SCOPES, and who has which. */
#include "state/scope.h"

static const char *const texts[SCOPE_COUNT] = {[SCOPE_NONE] = "",
#define ROW(NAME, TEXT) [SCOPE_##NAME] = TEXT,
                                               SCOPES(ROW)
#undef ROW
};

const char *
scope_text(enum scope scope)
{
    return texts[scope];
}

static bool
has_word(struct slice words, const char *word)
{
    size_t at = 0;

    while (at < words.len) {
        const char *start = words.data + at, *blank = memchr(start, ' ', words.len - at);
        size_t len = blank ? (size_t)(blank - start) : words.len - at;

        if (slice_is((struct slice){start, len}, word)) {
            return true;
        }
        at += len + 1;
    }
    return false;
}

bool
scope_allows(struct slice held, enum scope scope)
{
    bool allowed = scope == SCOPE_NONE || !held.data;

    for (unsigned s = scope; !allowed && s < SCOPE_COUNT; s++) {
        allowed = has_word(held, texts[s]);
    }
    return allowed;
}
