/* test_json_scan.c -- the scanner against the hostile inputs, against jansson, and at its limits.
 *
 * Where the scanner and jansson differ, on purpose:
 *   - jansson takes a NUL byte as the end of the text after a number; the scanner refuses it;
 *   - jansson goes 2048 levels deep; the scanner at most 512;
 *   - jansson refuses numbers that do not fit a double or 64 bits; the scanner takes any, because
 *     nobody may ever read them (rpc_load() refuses them for those who do);
 *   - the scanner refuses \u0000 in a name as "no request", jansson as "not JSON". */
#include "handlers/json_scan.h"

#include <stdio.h>
#include <time.h>

#include "handlers/json_slice.h"
#include "handlers/rpc.h"
#include "tests/check.h"
#include "tests/hostile.h"

static struct fault f;

/* Scans a text that holds one value of any kind. */
static enum err
scan(struct slice text, const struct json_limits *limits, struct json_value *value)
{
    struct json_scan s;

    f = (struct fault)FAULT_INIT;
    *value = (struct json_value){.kind = KIND_NONE};
    json_scan_init(&s, text, limits);
    if (json_scan_value(&s, value)) {
        json_scan_end(&s);
    }
    return json_scan_fault(&s, &f);
}

static enum err
scan_text(const char *text)
{
    struct json_value value;
    char *exact = xstrdup(text); /* Its NUL is a byte more than the slice tells. */
    enum err err = scan((struct slice){exact, strlen(text)}, NULL, &value);

    free(exact);
    return err;
}

/* Whether 'tree' is what lies in 'value', read by the helpers for slices. */
static bool
same(const json_t *tree, const struct json_value *value)
{
    static const enum json_kind kinds[] = {
        [JSON_OBJECT] = KIND_OBJECT,   [JSON_ARRAY] = KIND_ARRAY, [JSON_STRING] = KIND_STRING,
        [JSON_INTEGER] = KIND_INTEGER, [JSON_REAL] = KIND_REAL,   [JSON_TRUE] = KIND_TRUE,
        [JSON_FALSE] = KIND_FALSE,     [JSON_NULL] = KIND_NULL,
    };
    struct json_value inner;
    struct json_iter it;
    struct slice name;
    size_t i = 0;
    bool good = true;

    if (kinds[json_typeof(tree)] != value->kind) {
        return false;
    }
    if (value->kind == KIND_STRING) {
        struct buf b = BUF_INIT;
        good = json_string_add(value->raw, &b) && b.len == json_string_length(tree) &&
               (b.len == 0 || memcmp(b.data, json_string_value(tree), b.len) == 0);
        buf_fini(&b);
    } else if (value->kind == KIND_INTEGER) {
        int64_t number = 0;
        good = json_slice_int(value->raw, &number) && number == json_integer_value(tree);
    } else if (value->kind == KIND_ARRAY || value->kind == KIND_OBJECT) {
        json_iter_init(&it, value->raw);
        for (; good && json_iter_next(&it, &name, &inner); i++) {
            if (value->kind == KIND_ARRAY) {
                good = same(json_array_get(tree, i), &inner);
            } else {
                struct buf key = BUF_INIT;
                struct json_value found;
                json_string_add(name, &key);
                buf_addc(&key, '\0');
                good = json_string_is(name, key.data) &&
                       same(json_object_get(tree, key.data), &inner) &&
                       json_slice_member(value->raw, key.data, &found) &&
                       found.raw.data == inner.raw.data && found.raw.len == inner.raw.len;
                buf_fini(&key);
            }
        }
        good = good && !it.broken &&
               i == (value->kind == KIND_ARRAY ? json_array_size(tree) : json_object_size(tree));
    }
    return good;
}

/* The scanner and jansson must agree on a text, but for what the head of this file tells. */
static void
agree(const struct hostile_case *c, void *arg)
{
    static const struct json_limits widest = {JSON_DEPTH_TOP, JSON_VALUES_TOP};
    struct json_value value;
    json_error_t error;
    json_t *tree =
        json_loadb(c->bytes.data, c->bytes.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    enum err err = scan(c->bytes, &widest, &value);

    (void)arg;
    if (err && tree) {
        if (!strstr(f.text, "too deep") && !memchr(c->bytes.data, 0, c->bytes.len)) {
            fail_msg("%s: jansson takes it, the scan says: %s", c->id, f.text);
        }
    } else if (!err && !tree) {
        if (json_error_code(&error) != json_error_numeric_overflow) {
            fail_msg("%s: the scan takes it, jansson says: %s", c->id, error.text);
        }
    } else if (!err) {
        json_decref(tree);
        tree = json_loadb(c->bytes.data, c->bytes.len,
                          JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &error);
        if (tree && c->bytes.len < 20000 && !same(tree, &value)) {
            fail_msg("%s: the scan and jansson read different values", c->id);
        }
    } else {
        assert_true(err == E_PARSE || strstr(f.text, "u0000"));
    }
    json_decref(tree);
}

static void
scanner_agrees_with_jansson(void **state)
{
    (void)state;
    CHECK_INT(hostile_files("json", agree, NULL), 318);
    CHECK_INT(hostile_files("json-transform", agree, NULL), 22);
    CHECK_INT(hostile_lines("own/json.jsonl", agree, NULL), 118);
    CHECK_INT(hostile_lines("own/jsonrpc.jsonl", agree, NULL), 64);
}

/* Parses a good request with 'bytes' as the value of a member of its params, or of _meta. */
static enum err
parse_inside(const char *head, struct slice bytes, const char *tail)
{
    static struct rpc_message m;
    struct timespec begin, end;
    struct buf b = BUF_INIT;
    enum err err;

    buf_adds(&b, head);
    buf_add_slice(&b, bytes);
    buf_adds(&b, tail);
    f = (struct fault)FAULT_INIT;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin); /* Not what others take meanwhile. */
    err = rpc_parse(buf_slice(&b), NULL, &m, &f);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
    assert_true(end.tv_sec - begin.tv_sec <= 1);
    assert_true((err == E_OK) == (m.kind != RPC_INVALID));
    if (m.kind == RPC_REQUEST) {
        assert_true(slice_is(m.id, "\"i\\u0064\""));
    }
    buf_fini(&b);
    return err;
}

#define HEAD "{\"jsonrpc\":\"2.0\",\"id\":\"i\\u0064\",\"method\":\"ping\",\"params\":"

static void
check_suite_file(const struct hostile_case *c, void *arg)
{
    enum err err = parse_inside(HEAD "{\"x\":", c->bytes, "}}");

    (void)arg;
    if (strcmp(c->id, "y_object_escaped_null_in_key.json") == 0) {
        assert_true(err == E_INVALID_REQUEST); /* The one that is refused on purpose. */
    } else if ((strncmp(c->id, "y_", 2) == 0 && err) ||
               (strncmp(c->id, "n_", 2) == 0 && err != E_PARSE)) {
        fail_msg("%s: %d %s", c->id, (int)err, f.text);
    }
}

static void
json_test_suite_is_met(void **state)
{
    (void)state;
    CHECK_INT(hostile_files("json", check_suite_file, NULL), 318);
    hostile_files("json-transform", check_suite_file, NULL);
}

static void
check_own_json(const struct hostile_case *c, void *arg)
{
    const json_t *valid = json_object_get(c->row, "valid");
    enum err err = parse_inside(HEAD "{\"_meta\":{\"x\":", c->bytes, "}}}");
    enum err alone = parse_inside("", c->bytes, "");

    (void)arg;
    if ((json_is_true(valid) && err) || (json_is_false(valid) && err != E_PARSE)) {
        fail_msg("%s: inside: %d %s", c->id, (int)err, f.text);
    }
    /* A batch of anything is a batch: its elements are refused one by one, unless they are many. */
    if (json_is_false(valid)
            ? alone != E_PARSE
            : json_is_true(valid) && c->bytes.data[0] != '[' && alone != E_INVALID_REQUEST) {
        fail_msg("%s: alone: %d %s", c->id, (int)alone, f.text);
    }
}

static void
check_own_rpc(const struct hostile_case *c, void *arg)
{
    static struct rpc_message m;
    char code[16];
    enum err err = rpc_parse(c->bytes, NULL, &m, &f);

    (void)arg;
    if (!err) { /* Whether it is served is up to others, unless -32600 is all that is right. */
        if (json_array_size(json_object_get(c->row, "codes")) == 1 &&
            hostile_allows(c, "codes", "-32600") && !hostile_allows(c, "allow", "ok") &&
            m.kind != RPC_BATCH) {
            fail_msg("%s: taken", c->id);
        }
        return;
    }
    snprintf(code, sizeof code, "%d", err_info(err)->rpc_code);
    if ((!hostile_allows(c, "allow", "4xx") && !hostile_allows(c, "allow", "err")) ||
        (json_array_size(json_object_get(c->row, "codes")) && !hostile_allows(c, "codes", code))) {
        fail_msg("%s: refused with %s: %s", c->id, code, f.text);
    }
}

static void
own_cases_are_met(void **state)
{
    (void)state;
    CHECK_INT(hostile_lines("own/json.jsonl", check_own_json, NULL), 118);
    CHECK_INT(hostile_lines("own/jsonrpc.jsonl", check_own_rpc, NULL), 64);
}

/* Puts bytes between quotes, as a value and as a name, at several places of the 16-byte grid. */
static void
check_utf8_bytes(const char *id, struct slice bytes, bool valid)
{
    size_t shift;

    for (shift = 0; shift < 17; shift++) {
        struct json_value value;
        struct buf b = BUF_INIT;
        bool taken, named;
        char *exact;
        size_t i;
        buf_adds(&b, "\"");
        for (i = 0; i < shift; i++) {
            buf_addc(&b, 'a');
        }
        buf_add_slice(&b, bytes);
        buf_addc(&b, '"');
        exact = try_malloc(b.len);
        memcpy(exact, b.data, b.len);
        taken = scan((struct slice){exact, b.len}, NULL, &value) == E_OK;
        free(exact);
        buf_adds(&b, ":0}");
        b.data[0] = '"';
        exact = xasprintf("{");
        exact = xrealloc(exact, b.len + 1);
        memcpy(exact + 1, b.data, b.len);
        named = scan((struct slice){exact, b.len + 1}, NULL, &value) == E_OK;
        free(exact);
        buf_fini(&b);
        if (taken != valid || named != valid) {
            fail_msg("%s at %zu: %s", id, shift, f.text);
        }
    }
}

static void
check_own_utf8(const struct hostile_case *c, void *arg)
{
    (void)arg;
    check_utf8_bytes(c->id, c->bytes, json_is_true(json_object_get(c->row, "valid")));
}

/* Control characters are text, but not inside a JSON string. */
static void
check_suite_utf8(const struct hostile_case *c, void *arg)
{
    bool control = false;

    (void)arg;
    for (size_t i = 0; i < c->bytes.len; i++) {
        control |= (unsigned char)c->bytes.data[i] < 0x20;
    }
    check_utf8_bytes(c->id, c->bytes, json_is_true(json_object_get(c->row, "valid")) && !control);
}

static void
only_utf8_is_taken(void **state)
{
    (void)state;
    CHECK_INT(hostile_utf8(check_suite_utf8, NULL), 222);
    CHECK_INT(hostile_lines("own/utf8.jsonl", check_own_utf8, NULL), 79);
}

/* The definition of UTF-8, slow and plain. */
static bool
is_utf8(const unsigned char *p, size_t len)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};

    while (len > 0) {
        size_t n = *p < 0x80 ? 1 : *p >> 5 == 6 ? 2 : *p >> 4 == 14 ? 3 : *p >> 3 == 30 ? 4 : 0;
        uint32_t c = n == 1 ? *p : *p & (0x7Fu >> n);
        size_t i;
        if (n == 0 || n > len) {
            return false;
        }
        for (i = 1; i < n; i++) {
            if (p[i] >> 6 != 2) {
                return false;
            }
            c = c << 6 | (p[i] & 0x3F);
        }
        if (c < least[n] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) {
            return false;
        }
        p += n;
        len -= n;
    }
    return true;
}

static void
every_lead_and_second_byte_is_judged(void **state)
{
    static const unsigned char tails[] = {'a', 0x7F, 0x80, 0xBF, 0xC2};
    unsigned char text[6] = "\"";
    unsigned lead, second;
    size_t i, j;

    (void)state;
    text[5] = '"';
    for (lead = 0x80; lead < 0x100; lead++) {
        for (second = 0x20; second < 0x100; second++) {
            if (second == '"' || second == '\\') {
                continue;
            }
            for (i = 0; i < sizeof tails; i++) {
                for (j = 0; j < sizeof tails; j++) {
                    struct json_value value;
                    struct json_scan s;
                    text[1] = (unsigned char)lead;
                    text[2] = (unsigned char)second;
                    text[3] = tails[i];
                    text[4] = tails[j];
                    json_scan_init(&s, (struct slice){(const char *)text, 6}, NULL);
                    if (json_scan_value(&s, &value) != is_utf8(text + 1, 4)) {
                        fail_msg("%02x %02x %02x %02x", lead, second, tails[i], tails[j]);
                    }
                }
            }
        }
    }
}

/* A special byte at every place of strings of every short length is seen, and no byte behind. */
static void
special_bytes_are_seen_at_every_place(void **state)
{
    static const unsigned char special[] = {'"',  '\\', 0x00, 0x1F, 0x0A, 0x7F, 0x20,
                                            0x21, 0x23, 0x5B, 0x5D, 0x80, 0xFF};
    size_t len, at, k;

    (void)state;
    for (len = 1; len < 50; len++) {
        for (at = 0; at < len; at++) {
            for (k = 0; k < sizeof special; k++) {
                char *text = xcalloc(len + 2, 1);
                struct json_value value;
                struct json_scan s;
                bool plain = special[k] >= 0x20 && special[k] < 0x80 && special[k] != '\\';
                memset(text, 'x', len + 2);
                text[0] = text[len + 1] = '"';
                text[1 + at] = (char)special[k];
                json_scan_init(&s, (struct slice){text, len + 2}, NULL);
                CHECK(json_scan_value(&s, &value) == plain);
                if (plain) {
                    CHECK_INT(value.raw.len, special[k] == '"' ? at + 2 : len + 2);
                } else {
                    size_t seen = special[k] == '\\' && at + 1 == len ? len + 2 : at + 1;
                    CHECK(s.flaw_at == (unsigned char *)text + seen);
                }
                free(text);
            }
        }
    }
}

/* A long string is taken if all its parts are, wherever they stand; else the first that is not is
 * found. */
static void
mixtures_are_taken_as_their_parts(void **state)
{
    static const struct {
        const char *text;
        enum json_flaw flaw;
    } parts[] = {
        {"plain text, and ", FLAW_NONE},
        {"\\\"", FLAW_NONE},
        {"\\\\", FLAW_NONE},
        {"\\/", FLAW_NONE},
        {"\\b", FLAW_NONE},
        {"\\f", FLAW_NONE},
        {"\\n", FLAW_NONE},
        {"\\r", FLAW_NONE},
        {"\\t", FLAW_NONE},
        {"\\u00e9", FLAW_NONE},
        {"\\ud83d\\ude42", FLAW_NONE},
        {"\x7F", FLAW_NONE},
        {"\xC2\x80", FLAW_NONE},
        {"\xC3\xA9", FLAW_NONE},
        {"\xDF\xBF", FLAW_NONE},
        {"\xE0\xA0\x80", FLAW_NONE},
        {"\xE2\x80\xA8", FLAW_NONE},
        {"\xED\x9F\xBF", FLAW_NONE},
        {"\xEF\xBC\x8C", FLAW_NONE},
        {"\xF0\x9F\x99\x82", FLAW_NONE},
        {"a", FLAW_NONE},
        {"\n", FLAW_CONTROL},
        {"\\x", FLAW_ESCAPE},
        {"\\\xC3\xA9", FLAW_ESCAPE},
        {"\xC3(", FLAW_UTF8},
        {"\xC1\x80", FLAW_UTF8},
        {"\xE2\x82(", FLAW_UTF8},
        {"\xE0\x9F\xBF", FLAW_UTF8},
        {"\xED\xA0\x80", FLAW_UTF8},
        {"\x80", FLAW_UTF8},
        {"\xF4\x90\x80\x80", FLAW_UTF8},
    };
    const size_t good = 21;
    unsigned seed = 7;

    (void)state;
    for (int round = 0; round < 6000; round++) {
        struct buf text = BUF_INIT;
        enum json_flaw flaw = FLAW_NONE;
        struct json_text contents;
        struct json_scan s;
        size_t at = 0;
        bool escaped = false;

        buf_addc(&text, '"');
        for (unsigned count = round % 120; count; count--) {
            size_t i;

            seed = seed * 1103515245u + 12345u;
            i = (seed >> 16) % (round % 4 || count > 1 ? good : sizeof parts / sizeof parts[0]);
            if (!flaw && parts[i].flaw) {
                flaw = parts[i].flaw;
                at = text.len;
            }
            escaped |= parts[i].text[0] == '\\';
            buf_adds(&text, parts[i].text);
        }
        buf_adds(&text, round % 8 < 4 ? "\"" : "\"                                  ");
        json_scan_init(&s, buf_slice(&text), NULL);
        CHECK_INT(json_scan_string(&s, &contents), flaw == FLAW_NONE);
        CHECK_INT(s.flaw, flaw);
        if (flaw) {
            CHECK_INT(s.flaw_at - s.start, at);
        } else {
            CHECK_INT(contents.escaped, escaped);
            CHECK(contents.raw.data == text.data + 1 && s.p[-1] == '"' && json_scan_end(&s));
        }
        buf_fini(&text);
    }
}

static void
flaws_are_named_with_their_place(void **state)
{
    static const struct {
        const char *text;
        const char *flaw;
        int byte;
    } rows[] = {
        {"", "ends in the middle", 0},
        {"[1", "ends in the middle", 2},
        {"\"abc", "ends in the middle", 4},
        {"\"abc\\", "ends in the middle", 4},
        {"tru", "ends in the middle", 0},
        {"{\"a\"", "ends in the middle", 4},
        {"-", "ends in the middle", 1},
        {"1.", "ends in the middle", 2},
        {"1e+", "ends in the middle", 3},
        {"\xEF\xBB\xBF{}", "byte order mark", 0},
        {"[?]", "value was expected", 1},
        {"[,]", "value was expected", 1},
        {"[1,]", "value was expected", 3},
        {"[nulL]", "value was expected", 1},
        {"[+1]", "value was expected", 1},
        {"[-x]", "number", 2},
        {"[1.x]", "number", 3},
        {"[1ex]", "number", 3},
        {"[01]", "',' or ']'", 2},
        {"{\"a\":1 2}", "',' or '}'", 7},
        {"{1:2}", "name in double quotes", 1},
        {"{\"a\":1,}", "name in double quotes", 7},
        {"{\"a\";1}", "':'", 4},
        {"\"a\tb\"", "control character", 2},
        {"\"\\x\"", "escape", 1},
        {"\"\\u12g4\"", "escape", 1},
        {"\"\\u12\"", "escape", 1},
        {"\"\\ud800\"", "surrogate", 1},
        {"\"\\ud800\\n\"", "surrogate", 1},
        {"\"\\ud800\\ud800\"", "surrogate", 1},
        {"\"\\udc00\"", "surrogate", 1},
        {"\"\xC3\"", "not UTF-8", 1},
        {"\"\xE2\x82", "not UTF-8", 1},
        {"1 2", "more text", 2},
        {"{} {}", "more text", 3},
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        enum err err = scan_text(rows[i].text);
        const char *place = strstr(f.text, ", at byte ");
        if (err != E_PARSE || !strstr(f.text, rows[i].flaw) || !place ||
            strtol(place + 10, NULL, 10) != rows[i].byte ||
            f.column != (unsigned)rows[i].byte + 1) {
            fail_msg("%s: %d %s", rows[i].text, (int)err, f.text);
        }
    }
}

static struct slice
repeat(struct buf *b, const char *left, size_t times, const char *middle, const char *right)
{
    size_t i;

    buf_reset(b);
    for (i = 0; i < times; i++) {
        buf_adds(b, left);
    }
    buf_adds(b, middle);
    for (i = 0; i < times; i++) {
        buf_adds(b, right);
    }
    return buf_slice(b);
}

static void
depth_is_limited(void **state)
{
    static const unsigned limits[] = {1, 2, 63, 64, 65, 127, 128, 129, 511, JSON_DEPTH_TOP};
    struct json_limits l = JSON_LIMITS_INIT;
    struct json_value value;
    struct buf b = BUF_INIT;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof limits / sizeof *limits; i++) {
        l.depth = limits[i];
        CHECK(scan(repeat(&b, "[", limits[i], "", "]"), &l, &value) == E_OK);
        CHECK(scan(repeat(&b, "[", limits[i] + 1, "", "]"), &l, &value) == E_PARSE);
        CHECK(strstr(f.text, "too deep") && strstr(f.remedy, "at most"));
        CHECK(scan(repeat(&b, "{\"a\":", limits[i], "1", "}"), &l, &value) == E_OK);
        CHECK(scan(repeat(&b, "{\"a\":", limits[i] + 1, "1", "}"), &l, &value) == E_PARSE);
        CHECK(scan(repeat(&b, "[{\"a\":", limits[i] / 2, "1", "}]"), &l, &value) == E_OK);
        CHECK(scan(repeat(&b, "[{\"a\":", limits[i] / 2 + 1, "1", "}]"), &l, &value) == E_PARSE);
        CHECK(scan(repeat(&b, "[{\"a\":", limits[i] / 2, "1", "]}"), &l, &value) == E_PARSE ||
              limits[i] == 1);
    }
    /* A limit above the top is the top, one of 0 is 1. */
    l.depth = 100000;
    CHECK(scan(repeat(&b, "[", JSON_DEPTH_TOP, "", "]"), &l, &value) == E_OK);
    CHECK(scan(repeat(&b, "[", JSON_DEPTH_TOP + 1, "", "]"), &l, &value) == E_PARSE);
    l.depth = 0;
    CHECK(scan(SLICE("[]"), &l, &value) == E_OK);
    CHECK(scan(SLICE("[[]]"), &l, &value) == E_PARSE);
    buf_fini(&b);
}

static void
values_are_limited(void **state)
{
    struct json_limits l = JSON_LIMITS_INIT;
    struct json_value value;
    struct buf b = BUF_INIT;
    size_t i;

    (void)state;
    for (i = 0; i < 2; i++) {
        l.values = i ? JSON_VALUES_TOP + 1 : JSON_VALUES_DEFAULT;
        buf_reset(&b);
        buf_adds(&b, "[0");
        while (b.len < 2 * ((size_t)(i ? JSON_VALUES_TOP : JSON_VALUES_DEFAULT) - 1)) {
            buf_adds(&b, ",0");
        }
        buf_adds(&b, "]");
        CHECK(scan(buf_slice(&b), &l, &value) == E_OK);
        b.len--;
        buf_adds(&b, ",0]");
        CHECK(scan(buf_slice(&b), &l, &value) == E_MESSAGE_LARGE);
        CHECK(strstr(f.text, "too many values") && strstr(f.remedy, "at most"));
        CHECK(value.kind == KIND_ARRAY); /* A soft flaw: the scan goes on. */
    }
    l.values = 0;
    CHECK(scan(SLICE("0"), &l, &value) == E_OK);
    CHECK(scan(SLICE("[0]"), &l, &value) == E_MESSAGE_LARGE);
    l.values = 3;
    CHECK(scan(SLICE("{\"a\":{},\"b\":\"\"}"), &l, &value) == E_OK);
    CHECK(scan(SLICE("{\"a\":{},\"b\":[null]}"), &l, &value) == E_MESSAGE_LARGE);
    buf_fini(&b);
}

static void
check_frame(const struct hostile_case *c, void *arg)
{
    static struct rpc_message m;
    struct buf b = BUF_INIT, back = BUF_INIT, written = BUF_INIT;
    struct slice text;

    (void)arg;
    buf_add_json(&written, c->bytes);
    buf_adds(&b, "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":{\"reason\":");
    buf_add_slice(&b, buf_slice(&written));
    buf_adds(&b, "},\"id\":");
    buf_add_slice(&b, buf_slice(&written));
    buf_adds(&b, "}");
    text = buf_slice(&b);
    CHECK(!memchr(text.data, '\n', text.len) && !memchr(text.data, '\r', text.len));
    if (c->bytes.len <= RPC_ID_MAX) {
        CHECK(rpc_parse(text, NULL, &m, &f) == E_OK);
        CHECK(slice_equal(m.id, buf_slice(&written)));
        CHECK(rpc_id_equal(m.id, buf_slice(&written)));
        CHECK(json_string_add(m.id, &back) && slice_equal(buf_slice(&back), c->bytes));
    } else {
        CHECK(rpc_parse(text, NULL, &m, &f) == E_INVALID_REQUEST && m.id.len == 0);
    }
    buf_reset(&back);
    CHECK(json_string_add(m.param[RPC_PARAM_REASON].raw, &back));
    CHECK(slice_equal(buf_slice(&back), c->bytes));
    buf_fini(&b);
    buf_fini(&back);
    buf_fini(&written);
}

static void
texts_that_could_split_frames_come_back(void **state)
{
    (void)state;
    CHECK_INT(hostile_lines("own/frame.jsonl", check_frame, NULL), 17);
}

/* Cut anywhere, or with any byte changed, the inputs do no harm; the scan never reads past them. */
static void
check_damaged(const struct hostile_case *c, void *arg)
{
    struct json_limits l = {20, 1000};
    struct json_value value;
    char *copy;
    size_t i;

    (void)arg;
    if (c->bytes.len > 400 || c->bytes.len == 0) {
        return;
    }
    for (i = 0; i < c->bytes.len; i++) {
        static const char with[] = {0, '"', '\\', '{', '[', ',', (char)0xC3, (char)0xED};
        size_t k;
        copy = malloc(i ? i : 1);
        memcpy(copy, c->bytes.data, i);
        scan((struct slice){copy, i}, &l, &value);
        free(copy);
        copy = malloc(c->bytes.len);
        for (k = 0; k < sizeof with; k++) {
            memcpy(copy, c->bytes.data, c->bytes.len);
            copy[i] = with[k];
            if (scan((struct slice){copy, c->bytes.len}, &l, &value) == E_OK) {
                json_t *tree =
                    json_loadb(copy, c->bytes.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
                json_decref(tree);
            }
        }
        free(copy);
    }
}

static void
damaged_inputs_do_no_harm(void **state)
{
    (void)state;
    hostile_files("json", check_damaged, NULL);
    hostile_lines("own/json.jsonl", check_damaged, NULL);
}

static void
steps_lead_through_a_text(void **state)
{
    struct json_text name;
    struct json_value value;
    struct json_scan s;

    (void)state;
    json_scan_init(&s, SLICE("{\"a\":[],\"b\":[1,2]}"), NULL);
    CHECK(json_scan_enter(&s));
    CHECK(json_scan_member(&s, &name, true) == STEP_VALUE && slice_is(name.raw, "a"));
    CHECK(json_scan_enter(&s));
    CHECK(json_scan_element(&s, true) == STEP_END);
    CHECK(json_scan_member(&s, &name, false) == STEP_VALUE && slice_is(name.raw, "b"));
    CHECK(json_scan_enter(&s) && s.depth == 2);
    CHECK(json_scan_element(&s, true) == STEP_VALUE && json_scan_value(&s, &value));
    CHECK(json_scan_element(&s, false) == STEP_VALUE && json_scan_value(&s, &value));
    CHECK(json_scan_element(&s, false) == STEP_END);
    CHECK(json_scan_member(&s, &name, false) == STEP_END && s.depth == 0);
    CHECK(json_scan_end(&s) && s.flaw == FLAW_NONE && s.values == 5);
    CHECK(json_scan_fault(&s, &f) == E_OK);
    json_scan_init(&s, SLICE("1"), NULL);
    CHECK(!json_scan_enter(&s));
    json_scan_init(&s, SLICE("1"), NULL);
    CHECK(!json_scan_string(&s, &name) && s.flaw == FLAW_VALUE);
    json_scan_init(&s, SLICE_NONE, NULL);
    CHECK(json_scan_peek(&s) == 0 && !json_scan_value(&s, &value) && s.flaw == FLAW_CUT);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scanner_agrees_with_jansson),
        cmocka_unit_test(json_test_suite_is_met),
        cmocka_unit_test(own_cases_are_met),
        cmocka_unit_test(only_utf8_is_taken),
        cmocka_unit_test(every_lead_and_second_byte_is_judged),
        cmocka_unit_test(special_bytes_are_seen_at_every_place),
        cmocka_unit_test(mixtures_are_taken_as_their_parts),
        cmocka_unit_test(flaws_are_named_with_their_place),
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(values_are_limited),
        cmocka_unit_test(texts_that_could_split_frames_come_back),
        cmocka_unit_test(damaged_inputs_do_no_harm),
        cmocka_unit_test(steps_lead_through_a_text),
    };
    return CHECK_RUN(tests);
}
