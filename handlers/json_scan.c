/* json_scan.c -- the strict pass over JSON text.
 *
 * DESIGN.  What is open is a byte per level (what will close it) on the stack, so the walk over a
 * value does not recurse, and its cost is linear in the bytes whatever they are.  Strings are most
 * of a message: their plain stretches are skipped as plain.h says.  No load reaches past the end of
 * the text.  Pure: any thread. */
#include "handlers/json_scan.h"

#include "state/base/plain.h"

enum grade { HARD, SOFT };

static const struct {
    enum grade grade;
    enum err err;
    const char *text;
} flaws[FLAW_COUNT] = {
#define ROW(NAME, GRADE, ERR, TEXT) [FLAW_##NAME] = {GRADE, ERR, TEXT},
    JSON_FLAWS(ROW)
#undef ROW
};

static const unsigned char *broken(struct json_scan *s, enum json_flaw flaw,
                                   const unsigned char *at) __attribute__((cold, noinline));
static void blemish(struct json_scan *s, enum json_flaw flaw, const unsigned char *at)
    __attribute__((cold, noinline));

/* Notes a hard flaw.  Returns null, so that a caller can return the call. */
static const unsigned char *
broken(struct json_scan *s, enum json_flaw flaw, const unsigned char *at)
{
    s->flaw = at >= s->end && flaw != FLAW_UTF8 ? FLAW_CUT : flaw;
    s->flaw_at = at;
    return NULL;
}

static void
blemish(struct json_scan *s, enum json_flaw flaw, const unsigned char *at)
{
    if (s->flaw == FLAW_NONE) {
        s->flaw = flaw;
        s->flaw_at = at;
    }
}

static inline unsigned char
at(const struct json_scan *s, const unsigned char *p)
{
    return p < s->end ? *p : 0;
}

static inline const unsigned char *
skip_blanks(const struct json_scan *s, const unsigned char *p)
{
    while (p < s->end && *p <= ' ' && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')) {
        p++;
    }
    return p;
}

static inline void
count_value(struct json_scan *s, const unsigned char *p)
{
    if (++s->values > s->values_limit) {
        blemish(s, FLAW_VALUES, p);
    }
}

static inline bool
is_tail(unsigned char c)
{
    return (c & 0xC0) == 0x80;
}

/* Whether the three bytes at 'p' are a character of those that no further rule is about. */
static inline bool
is_easy_three(const unsigned char *p)
{
    return p[0] >= 0xE1 && p[0] <= 0xEF && p[0] != 0xED && is_tail(p[1]) && is_tail(p[2]);
}

/* Three bytes: not what two can say, and no surrogate. */
static inline const unsigned char *
skip_three(const unsigned char *p, size_t left)
{
    if (left < 3 || !is_tail(p[1]) || !is_tail(p[2])) {
        return NULL;
    }
    return (p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F) ? NULL : p + 3;
}

/* Four bytes: not what three can say, and not past the last character. */
static inline const unsigned char *
skip_four(const unsigned char *p, size_t left)
{
    if (p[0] > 0xF4 || left < 4 || !is_tail(p[1]) || !is_tail(p[2]) || !is_tail(p[3])) {
        return NULL;
    }
    return (p[0] == 0xF0 && p[1] < 0x90) || (p[0] == 0xF4 && p[1] > 0x8F) ? NULL : p + 4;
}

/* Steps over one character above ASCII; null if the bytes are not UTF-8 (cut, overlong, a surrogate
 * or above U+10FFFF). */
static inline const unsigned char *
skip_utf8(const unsigned char *p, const unsigned char *end)
{
    size_t left = (size_t)(end - p);
    unsigned char c = p[0];

    if (c < 0xE0) {
        return c >= 0xC2 && left >= 2 && is_tail(p[1]) ? p + 2 : NULL;
    }
    return c < 0xF0 ? skip_three(p, left) : skip_four(p, left);
}

static inline bool
is_digit(unsigned char c)
{
    return (unsigned)(c - '0') <= 9;
}

/* Four hexadecimal digits at 'p', or -1. */
static int
read_hex4(const unsigned char *p, const unsigned char *end)
{
    int value = 0;
    int i;

    if (end - p < 4) {
        return -1;
    }
    for (i = 0; i < 4; i++) {
        unsigned char c = p[i];
        unsigned char letter = c | 0x20;
        if (is_digit(c)) {
            value = value << 4 | (c - '0');
        } else if (letter >= 'a' && letter <= 'f') {
            value = value << 4 | (letter - 'a' + 10);
        } else {
            return -1;
        }
    }
    return value;
}

const unsigned char *
json_scan_escape(const unsigned char *p, const unsigned char *end, uint32_t *character,
                 enum json_flaw *flaw)
{
    static const char names[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    int high, low;

    *flaw = end - p < 2 ? FLAW_CUT : FLAW_ESCAPE;
    if (end - p < 2) {
        return NULL;
    }
    if (p[1] != 'u') {
        const char *name = memchr(names, p[1], sizeof names - 1);
        if (!name) {
            return NULL;
        }
        *character = (unsigned char)meanings[name - names];
        return p + 2;
    }
    high = read_hex4(p + 2, end);
    if (high < 0) {
        return NULL;
    }
    *character = (uint32_t)high;
    if (high < 0xD800 || high > 0xDFFF) {
        return p + 6;
    }
    *flaw = FLAW_SURROGATE;
    if (high > 0xDBFF || end - p < 8 || p[6] != '\\' || p[7] != 'u') {
        return NULL;
    }
    low = read_hex4(p + 8, end);
    if (low < 0xDC00 || low > 0xDFFF) {
        return NULL;
    }
    *character = 0x10000 + (((uint32_t)high - 0xD800) << 10) + ((uint32_t)low - 0xDC00);
    return p + 12;
}

/* Steps over any escape. */
static const unsigned char *
scan_escape(struct json_scan *s, const unsigned char *p, struct json_text *text)
{
    uint32_t character = 0;
    enum json_flaw flaw = FLAW_NONE;
    const unsigned char *next = json_scan_escape(p, s->end, &character, &flaw);

    if (!next) {
        return broken(s, flaw, p);
    }
    text->escaped = true;
    text->nul |= character == 0;
    return next;
}

/* Bits that the first and the second byte of a pair have in common, if it is a good one: an escape
 * of one letter, or a character of two bytes. */
enum { PAIR_ESCAPE = 1, PAIR_CHARACTER = 2 };
#define TWO(C) [C] = PAIR_CHARACTER, [(C) + 1] = PAIR_CHARACTER
#define EIGHT(C) TWO(C), TWO((C) + 2), TWO((C) + 4), TWO((C) + 6)
static const unsigned char pair_first[256] = {
    ['\\'] = PAIR_ESCAPE, TWO(0xC2), TWO(0xC4), TWO(0xC6), EIGHT(0xC8), EIGHT(0xD0), EIGHT(0xD8)};
static const unsigned char pair_second[256] = {
    ['"'] = PAIR_ESCAPE, ['\\'] = PAIR_ESCAPE, ['/'] = PAIR_ESCAPE, ['b'] = PAIR_ESCAPE,
    ['f'] = PAIR_ESCAPE, ['n'] = PAIR_ESCAPE,  ['r'] = PAIR_ESCAPE, ['t'] = PAIR_ESCAPE,
    EIGHT(0x80),         EIGHT(0x88),          EIGHT(0x90),         EIGHT(0x98),
    EIGHT(0xA0),         EIGHT(0xA8),          EIGHT(0xB0),         EIGHT(0xB8)};
#undef EIGHT
#undef TWO

/* Steps over what is plain, over good pairs and over most characters of three bytes, which is
 * nearly all of all text, 16 bytes at a time as long as there are more; 'escaped' is set if one
 * pair was an escape.  64 KiB of prose with four pairs a line take half the instructions that they
 * take from one of them to the next. */
static inline const unsigned char *
skip_common(const unsigned char *p, const unsigned char *end, bool *escaped)
{
    unsigned kinds = 0, passed = 0; /* Bits of the 16 that belong to what began before them. */

    for (; end - p > 17; p += 16) {
        unsigned odd = plain_look(p, end, PLAIN_ODD) & ~passed;

        passed = 0;
        while (odd) {
            unsigned at = (unsigned)__builtin_ctz(odd), bits = 3;
            unsigned kind = pair_first[p[at]] & pair_second[p[at + 1]];

            if (!kind) {
                if (!is_easy_three(p + at)) {
                    *escaped |= kinds & PAIR_ESCAPE;
                    return p + at;
                }
                bits = 7;
            }
            kinds |= kind;
            odd &= ~(bits << at);
            passed = bits << at >> 16;
        }
    }
    *escaped |= kinds & PAIR_ESCAPE;
    return p + passed - passed / 2; /* 0, 1 or 3: as many as there are bits. */
}

/* Steps over the rest of a string whose contents are plain up to 'p'. */
static const unsigned char *__attribute__((noinline))
scan_string_rest(struct json_scan *s, const unsigned char *p, struct json_text *text)
{
    for (;;) {
        unsigned char c;

        p = plain_skip(skip_common(p, s->end, &text->escaped), s->end);
        c = at(s, p);
        if (c == '"') {
            text->raw.len = (size_t)((const char *)p - text->raw.data);
            return p + 1;
        }
        if (c == '\\') {
            p = scan_escape(s, p, text);
            if (!p) {
                return NULL;
            }
        } else if (c >= 0x80) {
            do {
                const unsigned char *next = skip_utf8(p, s->end);
                if (!next) {
                    return broken(s, FLAW_UTF8, p);
                }
                p = next;
            } while (p < s->end && *p >= 0x80);
        } else if (c == 0x7F) {
            p++;
        } else {
            return broken(s, FLAW_CONTROL, p);
        }
    }
}

/* Steps over the string whose opening quote is at 'p'. */
static inline const unsigned char *
scan_string(struct json_scan *s, const unsigned char *p, struct json_text *text)
{
    text->raw.data = (const char *)++p;
    text->escaped = false;
    text->nul = false;
    p = plain_skip(p, s->end);
    if (p < s->end && *p == '"') {
        text->raw.len = (size_t)((const char *)p - text->raw.data);
        return p + 1;
    }
    return scan_string_rest(s, p, text);
}

static inline const unsigned char *
skip_digits(const struct json_scan *s, const unsigned char *p)
{
    while (p < s->end && is_digit(*p)) {
        p++;
    }
    return p;
}

static const unsigned char *
scan_number(struct json_scan *s, const unsigned char *p, enum json_kind *kind)
{
    const unsigned char *digits;

    *kind = KIND_INTEGER;
    p += *p == '-';
    digits = p;
    p = at(s, p) == '0' ? p + 1 : skip_digits(s, p);
    if (p == digits) {
        return broken(s, FLAW_NUMBER, p);
    }
    if (at(s, p) == '.') {
        *kind = KIND_REAL;
        digits = ++p;
        p = skip_digits(s, p);
        if (p == digits) {
            return broken(s, FLAW_NUMBER, p);
        }
    }
    if ((at(s, p) | 0x20) == 'e') {
        *kind = KIND_REAL;
        p++;
        p += at(s, p) == '+' || at(s, p) == '-';
        digits = p;
        p = skip_digits(s, p);
        if (p == digits) {
            return broken(s, FLAW_NUMBER, p);
        }
    }
    return p;
}

static const unsigned char *
scan_word(struct json_scan *s, const unsigned char *p, const char *word, size_t len)
{
    size_t left = (size_t)(s->end - p);

    if (left < len && memcmp(p, word, left) == 0) {
        return broken(s, FLAW_CUT, p);
    }
    return left >= len && memcmp(p, word, len) == 0 ? p + len : broken(s, FLAW_VALUE, p);
}

/* Steps over a value that is no container and begins at 'p'. */
static inline __attribute__((always_inline)) const unsigned char *
scan_scalar(struct json_scan *s, const unsigned char *p, enum json_kind *kind)
{
    unsigned char c = at(s, p);
    struct json_text text NOT_CLEARED;

    count_value(s, p);
    if (c == '"') { /* Most are. */
        *kind = KIND_STRING;
        return scan_string(s, p, &text);
    }
    switch (c) {
    case 't':
        *kind = KIND_TRUE;
        return scan_word(s, p, "true", 4);
    case 'f':
        *kind = KIND_FALSE;
        return scan_word(s, p, "false", 5);
    case 'n':
        *kind = KIND_NULL;
        return scan_word(s, p, "null", 4);
    default:
        if (c == '-' || is_digit(c)) {
            return scan_number(s, p, kind);
        }
        return broken(s, c == 0xEF && p == s->start ? FLAW_MARK : FLAW_VALUE, p);
    }
}

/* Steps over a member's name, its colon and the blanks around them. */
static inline __attribute__((always_inline)) const unsigned char *
scan_name(struct json_scan *s, const unsigned char *p, struct json_text *name)
{
    const unsigned char *begin = p;

    if (at(s, p) != '"') {
        return broken(s, FLAW_NAME, p);
    }
    p = scan_string(s, p, name);
    if (!p) {
        return NULL;
    }
    if (name->nul) {
        blemish(s, FLAW_NUL_NAME, begin);
    }
    if (at(s, p) != ':') { /* Hardly ever a blank is before it. */
        p = skip_blanks(s, p);
        if (at(s, p) != ':') {
            return broken(s, FLAW_COLON, p);
        }
    }
    return skip_blanks(s, p + 1);
}

static inline bool
is_container(unsigned char c)
{
    return c == '{' || c == '[';
}

/* Notes that a container begins at 'p'; false if no walk could go deeper. */
static inline bool
go_down(struct json_scan *s, const unsigned char *p)
{
    count_value(s, p);
    if (++s->depth > s->depth_limit) {
        if (s->depth > JSON_DEPTH_TOP) {
            broken(s, FLAW_ABYSS, p);
            return false;
        }
        blemish(s, FLAW_DEPTH, p);
    }
    return true;
}

/* Steps over the object or array that begins at 'p', with all that is in it. */
static const unsigned char *__attribute__((noinline))
scan_container(struct json_scan *s, const unsigned char *p)
{
    unsigned char closes[JSON_DEPTH_TOP + 1] NOT_CLEARED; /* By depth. */
    const unsigned outside = s->depth;
    struct json_text name NOT_CLEARED;
    enum json_kind kind;
    unsigned char close = 0;

    for (;;) {
        unsigned char c = at(s, p);
        bool open = false; /* Something was opened in which there is a value. */

        if (is_container(c)) {
            if (!go_down(s, p)) {
                return NULL;
            }
            close = closes[s->depth] = c == '{' ? '}' : ']';
            p = skip_blanks(s, p + 1);
            open = at(s, p) != close;
        } else if (!(p = scan_scalar(s, p, &kind))) {
            return NULL;
        }
        while (!open) { /* Behind a value: what ends here ends, until there is a comma. */
            p = skip_blanks(s, p);
            c = at(s, p);
            if (c == ',') {
                p = skip_blanks(s, p + 1);
                break;
            }
            if (c != close) {
                return broken(s, close == '}' ? FLAW_IN_OBJECT : FLAW_IN_ARRAY, p);
            }
            p++;
            if (--s->depth == outside) {
                return p;
            }
            close = closes[s->depth];
        }
        if (close == '}' && !(p = scan_name(s, p, &name))) {
            return NULL;
        }
    }
}

/* A limit moved into 1..top. */
static unsigned
limited(unsigned value, unsigned top)
{
    return value < 1 ? 1 : value > top ? top : value;
}

void
json_scan_init(struct json_scan *s, struct slice text, const struct json_limits *limits)
{
    static const struct json_limits usual = JSON_LIMITS_INIT;
    static const unsigned char nothing[1] = {0};
    const struct json_limits *l = limits ? limits : &usual;

    *s = (struct json_scan){
        .start = text.data ? (const unsigned char *)text.data : nothing,
        .depth_limit = limited(l->depth, JSON_DEPTH_TOP),
        .values_limit = limited(l->values, JSON_VALUES_TOP),
    };
    s->p = s->start;
    s->end = s->start + (text.data ? text.len : 0);
}

unsigned char
json_scan_peek(struct json_scan *s)
{
    s->p = skip_blanks(s, s->p);
    return at(s, s->p);
}

bool
json_scan_value(struct json_scan *s, struct json_value *value)
{
    const unsigned char *begin = skip_blanks(s, s->p);
    const unsigned char *p;
    unsigned char c = at(s, begin);

    if (is_container(c)) {
        value->kind = c == '{' ? KIND_OBJECT : KIND_ARRAY;
        p = scan_container(s, begin);
    } else {
        p = scan_scalar(s, begin, &value->kind);
    }
    if (!p) {
        value->kind = KIND_NONE;
        return false;
    }
    value->raw = (struct slice){(const char *)begin, (size_t)(p - begin)};
    s->p = p;
    return true;
}

bool
json_scan_string(struct json_scan *s, struct json_text *text)
{
    const unsigned char *begin = skip_blanks(s, s->p);
    const unsigned char *p =
        at(s, begin) == '"' ? scan_string(s, begin, text) : broken(s, FLAW_VALUE, begin);

    s->p = p ? p : s->p;
    return p != NULL;
}

bool
json_scan_enter(struct json_scan *s)
{
    if (!is_container(json_scan_peek(s))) {
        broken(s, FLAW_VALUE, s->p);
        return false;
    }
    if (!go_down(s, s->p)) {
        return false;
    }
    s->p++;
    return true;
}

/* What comes next in a container: its end, or (after a comma, unless it is the first) a value. */
static inline enum json_step
next_in(struct json_scan *s, bool first, unsigned char close, enum json_flaw flaw)
{
    const unsigned char *p = skip_blanks(s, s->p);
    unsigned char c = at(s, p);

    s->p = p;
    if (c == close) {
        s->p++;
        s->depth--;
        return STEP_END;
    }
    if (!first) {
        if (c != ',') {
            broken(s, flaw, p);
            return STEP_BROKEN;
        }
        s->p = skip_blanks(s, p + 1);
    }
    return STEP_VALUE;
}

enum json_step
json_scan_member(struct json_scan *s, struct json_text *name, bool first)
{
    enum json_step step = next_in(s, first, '}', FLAW_IN_OBJECT);

    if (step == STEP_VALUE) {
        const unsigned char *p = scan_name(s, s->p, name);
        if (!p) {
            return STEP_BROKEN;
        }
        s->p = p;
    }
    return step;
}

enum json_step
json_scan_element(struct json_scan *s, bool first)
{
    return next_in(s, first, ']', FLAW_IN_ARRAY);
}

bool
json_scan_end(struct json_scan *s)
{
    s->p = skip_blanks(s, s->p);
    if (s->p < s->end) {
        broken(s, FLAW_REST, s->p);
        return false;
    }
    return true;
}

const char *
json_scan_flaw_text(enum json_flaw flaw)
{
    return flaws[flaw].text;
}

enum err
json_scan_fault(const struct json_scan *s, struct fault *f)
{
    unsigned line = 1, column = 1;
    const unsigned char *p;
    size_t offset;

    if (s->flaw == FLAW_NONE) {
        return E_OK;
    }
    for (p = s->start; p < s->flaw_at; p++) {
        column = *p == '\n' ? 1 : column + 1;
        line += *p == '\n';
    }
    offset = (size_t)(s->flaw_at - s->start);
    if (flaws[s->flaw].err == E_PARSE) {
        fault_at(f, E_PARSE, line, column, "not JSON as tandem takes it: %s, at byte %zu",
                 flaws[s->flaw].text, offset);
    } else {
        fault_at(f, flaws[s->flaw].err, line, column, "%s, at byte %zu", flaws[s->flaw].text,
                 offset);
    }
    if (s->flaw == FLAW_DEPTH || s->flaw == FLAW_ABYSS) {
        fault_remedy(f, "send at most %u levels", s->depth_limit);
    } else if (s->flaw == FLAW_VALUES) {
        fault_remedy(f, "send at most %zu values in one message", s->values_limit);
    }
    return flaws[s->flaw].err;
}
