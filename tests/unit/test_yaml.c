/* test_yaml.c -- the YAML reader: values, places, refusals, bounds, and the YAML test suite. */
#include "state/base/rune.h"
#include "state/yaml.h"
#include "tests/check.h"

#include <dirent.h>
#include <stdio.h>

#define SUITE "tests/fixtures/hostile/yaml"

/* Parses 'text', which must be taken, to JSON. */
static json_t *
value_of(const char *text)
{
    struct ytree *tree = NULL;
    struct fault fault = FAULT_INIT;
    json_t *json;

    if (ytree_parse(slice_of(text), NULL, &tree, &fault)) {
        fail_msg("refused %s: %u:%u: %s", text, fault.line, fault.column, fault.text);
    }
    json = ynode_to_json(ytree_root(tree));
    ytree_free(tree);
    CHECK(json);
    return json;
}

static void
reads(const char *text, const char *expected)
{
    json_t *json = value_of(text);
    char *got = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);

    CHECK_STR(got, expected);
    free(got);
    json_decref(json);
}

static void
refuses(const char *text, enum err err, unsigned line, unsigned column, const char *part)
{
    struct ytree *tree = NULL;
    struct fault fault = FAULT_INIT;

    CHECK_INT(ytree_parse(slice_of(text), NULL, &tree, &fault), err);
    CHECK(!tree);
    if (fault.line != line || fault.column != column || !strstr(fault.text, part)) {
        fail_msg("%s: %u:%u: %s", text, fault.line, fault.column, fault.text);
    }
}

static void
scalars_resolve_by_the_core_schema(void **state)
{
    (void)state;
    reads("", "null");
    reads("# nothing\n", "null");
    reads("--- # start\n~\n", "null");
    reads("[null, Null, NULL, ~, '', 'null']", "[null,null,null,null,\"\",\"null\"]");
    reads("[true, True, TRUE, false, False, FALSE]", "[true,true,true,false,false,false]");
    reads("[yes, no, on, off, Yes, y, n]", "[\"yes\",\"no\",\"on\",\"off\",\"Yes\",\"y\",\"n\"]");
    reads("[0, -7, +12, 010, 0o14, 0xfF, 9223372036854775807, -9223372036854775808]",
          "[0,-7,12,10,12,255,9223372036854775807,-9223372036854775808]");
    reads("[1.5, -.5, 1e3, 2., 1.0E-2, +0.25]", "[1.5,-0.5,1000.0,2.0,0.01,0.25]");
    reads("[1.2.3, 1e, ., +, --, 0x, 0o8, 1_000, '12', e5]",
          "[\"1.2.3\",\"1e\",\".\",\"+\",\"--\",\"0x\",\"0o8\",\"1_000\",\"12\",\"e5\"]");
    refuses("a: 1\nb: 9223372036854775808\n", E_REFUSED, 2, 4, "64 bits");
    refuses("- .inf\n", E_REFUSED, 1, 3, "infinity");
    refuses("- 1e999\n", E_REFUSED, 1, 3, "too large");
}

static void
structures_and_block_scalars(void **state)
{
    (void)state;
    reads("a:\n  b: [1, {c: d}]\n  e:\n  - f\n  - g: h\n    i: j\n",
          "{\"a\":{\"b\":[1,{\"c\":\"d\"}],\"e\":[\"f\",{\"g\":\"h\",\"i\":\"j\"}]}}");
    reads(
        "t: |\n  one\n   two\n\n  three\nf: >\n  one\n  two\n\n  three\ns: |-\n  x\nk: |+\n  y\n\n",
        "{\"t\":\"one\\n two\\n\\nthree\\n\",\"f\":\"one two\\nthree\\n\",\"s\":\"x\","
        "\"k\":\"y\\n\\n\"}");
    reads("a: \"q\\n\\x41\\u263a\"\nb: 'it''s'\nc: plain # comment\nd: a#b\n",
          "{\"a\":\"q\\nA\xE2\x98\xBA\",\"b\":\"it's\",\"c\":\"plain\",\"d\":\"a#b\"}");
    reads("tab: |\n  x\n  \ty\n", "{\"tab\":\"x\\n\\ty\\n\"}");
    reads("validators: {}\nempty: []\nnothing:\n",
          "{\"validators\":{},\"empty\":[],\"nothing\":null}");
    reads("k: [\n  a, # one\n# two\n\n  b\n]\nl: {\n  c: \"d\n\n   e\"\n}\n",
          "{\"k\":[\"a\",\"b\"],\"l\":{\"c\":\"d\\ne\"}}");

    reads("a: 1\r\nb: |\r\n  x\r\n", "{\"a\":1,\"b\":\"x\\n\"}");
    reads("true: 1\n2: b\n\"\": c\n", "{\"true\":1,\"2\":\"b\",\"\":\"c\"}");
    reads("%YAML 1.2\n---\na: 1\n...\n", "{\"a\":1}");
}

static void
anchors_are_expanded_within_bounds(void **state)
{
    struct ytree *tree = NULL;
    struct fault fault = FAULT_INIT;
    struct ytree_limits few = {.anchors = 1, .nodes = 100, .depth = 3};

    (void)state;
    reads("a: &x [1, 2]\nb: *x\nc: &x 3\nd: *x\n", "{\"a\":[1,2],\"b\":[1,2],\"c\":3,\"d\":3}");
    refuses("a: *x\n", E_REFUSED, 1, 4, "without its anchor");
    refuses("a: &x [1, *x]\n", E_REFUSED, 1, 11, "inside what it stands for");
    refuses("a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
            "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
            "e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\n",
            E_TOO_LARGE, 5, 11, "aliases expanded");
    CHECK_INT(ytree_parse(SLICE("[&a 1, &b 2]"), &few, &tree, &fault), E_TOO_LARGE);
    CHECK(strstr(fault.text, "1 anchors"));
    /* An alias brings its levels along. */
    CHECK_INT(ytree_parse(SLICE("- &a [[1]]\n- [*a]\n"), &few, &tree, &fault), E_TOO_LARGE);
    CHECK(strstr(fault.text, "nested levels"));
}

static void
what_is_not_taken_is_refused_with_its_place(void **state)
{
    (void)state;
    refuses("a: !!str 1\n", E_REFUSED, 1, 4, "tags");
    refuses("a: ! x\n", E_REFUSED, 1, 4, "tags");
    refuses("%TAG ! tag:x,2000:\n---\na\n", E_REFUSED, 1, 1, "directive");
    refuses("%YAML 1.1\n---\na\n", E_REFUSED, 1, 1, "directive");
    refuses("a: 1\n---\nb: 2\n", E_REFUSED, 2, 1, "second document");
    refuses("a: 1\nb: 2\na: 3\n", E_REFUSED, 3, 1, "twice, first in line 1");
    refuses("{a: 1, b: 2, 'a': 3}", E_REFUSED, 1, 14, "twice");
    refuses("a:\n\tb: 1\n", E_REFUSED, 2, 1, "");
    refuses("a:\n  - b\n\t- c\n", E_REFUSED, 3, 1, "");
    refuses("[\n\ta]\n", E_REFUSED, 2, 1, "tab");
    refuses("-\ta\n", E_REFUSED, 1, 2, "token");
    refuses("[\n? \ta]\n", E_REFUSED, 2, 3, "tab");
    refuses("[a,#b\n]\n", E_REFUSED, 1, 4, "blank is missing before the comment");
    refuses("a: \"b\"# c\n", E_REFUSED, 1, 7, "blank is missing before the comment");
    refuses("{ ?a: b }\n", E_REFUSED, 1, 3, "after '?'");
    refuses("a: [-]\n", E_REFUSED, 1, 5, "lone");
    refuses("k: &a:b c\n", E_REFUSED, 1, 6, "anchor");
    refuses("k: &a # c\n  |\n  x\n", E_REFUSED, 1, 7, "comment between");
    refuses("k: ># c\n  x\n", E_REFUSED, 1, 5, "opens a block");
    refuses("k: |\n    \n  x\n", E_REFUSED, 3, 1, "longer than this line's");
    refuses("k: |\n  x\n   ", E_REFUSED, 3, 1, "last line of a block");
    refuses("k: |\n   ", E_REFUSED, 2, 1, "last line of a block");
    refuses("k: \"a\nb\"\n", E_REFUSED, 2, 1, "deeper");
    refuses("a:\n  k: [b,\n  c]\n", E_REFUSED, 3, 1, "deeper");
    refuses("a: x\ry: z\n", E_REFUSED, 1, 5, "separator");
    refuses("? [a]\n: b\n", E_REFUSED, 1, 3, "key");
    refuses("a: &x y\n*x : z\n", E_REFUSED, 2, 1, "key");
    refuses(": x\n", E_REFUSED, 1, 1, "key");
    refuses("a: &x {b: 1}\nc:\n  <<: *x\n", E_REFUSED, 3, 3, "merge");
    refuses("\"a\\0b\": 1\n", E_REFUSED, 1, 1, "NUL");
    refuses("a: [1\nb: 2\n", E_REFUSED, 2, 2, "");
    refuses("a: b\n  c: d\n", E_REFUSED, 2, 4, "");
    refuses("a: \"x\n", E_REFUSED, 2, 1, "");
    refuses("a: \x01\n", E_REFUSED, 1, 4, "control");
    refuses("ab\ncd\xFF\n", E_REFUSED, 2, 3, "UTF-8");
    refuses("a: x\xE2\x80\xA8y\n", E_REFUSED, 1, 5, "separator");
    refuses("\xEF\xBB\xBF a: [", E_REFUSED, 2, 1, "");
}

static void
bounds_hold(void **state)
{
    struct ytree *tree = NULL;
    struct fault fault = FAULT_INIT;
    struct ytree_limits limits = {.bytes = 10, .nodes = 4, .depth = 2};
    struct buf deep = BUF_INIT;

    (void)state;
    CHECK_INT(ytree_parse(SLICE("0123456789a"), &limits, &tree, &fault), E_TOO_LARGE);
    CHECK_INT(ytree_parse(SLICE("[1,2,3]"), &limits, &tree, &fault), E_OK);
    ytree_free(tree);
    CHECK_INT(ytree_parse(SLICE("[1,2,3,4]"), &limits, &tree, &fault), E_TOO_LARGE);
    CHECK_INT(fault.line, 1);
    CHECK_INT(fault.column, 8);
    CHECK_INT(ytree_parse(SLICE("[[1]]"), &limits, &tree, &fault), E_OK);
    ytree_free(tree);
    CHECK_INT(ytree_parse(SLICE("[[[1]]]"), &limits, &tree, &fault), E_TOO_LARGE);
    CHECK_INT(ytree_parse(SLICE("a: {b: {}}"), &limits, &tree, &fault), E_TOO_LARGE);
    for (int i = 0; i < 200000; i++) {
        buf_adds(&deep, i % 2 ? "[" : "{a: ");
    }
    CHECK_INT(ytree_parse(buf_slice(&deep), NULL, &tree, &fault), E_TOO_LARGE);
    buf_reset(&deep);
    for (int i = 0; i < 200000; i++) {
        buf_adds(&deep, "- ");
    }
    CHECK_INT(ytree_parse(buf_slice(&deep), NULL, &tree, &fault), E_TOO_LARGE);
    buf_fini(&deep);
}

static void
nodes_tell_place_kind_and_members(void **state)
{
    struct ytree *tree = NULL;
    const struct ynode *root, *list;

    (void)state;
    CHECK_INT(
        ytree_parse(SLICE("a: 1\nlist:\n  - 'q'\n  - 2.5\n  - |\n    x\nt: true\nn: \"\\0\"\n"),
                    NULL, &tree, NULL),
        E_OK);
    root = ytree_root(tree);
    CHECK_INT(ynode_kind(root), YNODE_MAP);
    CHECK_INT(ynode_count(root), 4);
    CHECK_STR(ynode_text(ynode_key(root, 1)).data, "list");
    CHECK_INT(ynode_line(ynode_key(root, 1)), 2);
    CHECK(!ynode_key(root, 4) && !ynode_at(root, 4));
    CHECK_INT(ynode_int(ynode_get(root, "a")), 1);
    CHECK(ynode_float(ynode_get(root, "a")) == 1.0);
    CHECK(ynode_bool(ynode_get(root, "t")) && !ynode_bool(ynode_get(root, "a")));
    list = ynode_get(root, "list");
    CHECK_INT(ynode_kind(list), YNODE_LIST);
    CHECK(!ynode_key(list, 0) && !ynode_get(list, "a"));
    CHECK_INT(ynode_line(ynode_at(list, 0)), 3);
    CHECK_INT(ynode_column(ynode_at(list, 0)), 5);
    CHECK(ynode_quoted(ynode_at(list, 0)) && ynode_one_line(ynode_at(list, 0)));
    CHECK(ynode_float(ynode_at(list, 1)) == 2.5 && ynode_int(ynode_at(list, 1)) == 0);
    CHECK(!ynode_one_line(ynode_at(list, 2)));
    CHECK_STR(ynode_kind_name(ynode_at(list, 1)), "number");
    CHECK(!ynode_get(root, "b"));
    CHECK(!ynode_get_string(root, "a") && !ynode_get_string(root, "n"));
    CHECK_INT(ynode_kind(NULL), YNODE_NULL);
    CHECK_INT(ynode_line(NULL) + ynode_column(NULL) + ynode_count(NULL), 0);
    CHECK_INT(ynode_text(NULL).len, 0);
    CHECK(!ynode_quoted(NULL) && !ynode_one_line(NULL));
    ytree_free(tree);
    ytree_free(NULL);
}

/* The suite writes invisible characters as marks. */
static char *
unmark(struct slice s)
{
    static const struct {
        const char *mark, *text;
    } marks[] = {{"\xE2\x90\xA3", " "},
                 {"\xC2\xBB", "\t"},
                 {"\xE2\x80\x94", ""},
                 {"\xE2\x86\x90", "\r"},
                 {"\xE2\x87\x94", "\xEF\xBB\xBF"},
                 {"\xE2\x86\xB5", ""}};
    struct buf out = BUF_INIT;

    for (size_t at = 0; at < s.len;) {
        size_t step = 1;
        if (s.len - at >= 3 && memcmp(s.data + at, "\xE2\x88\x8E", 3) == 0) {
            break; /* The text ends here, without the newline. */
        }
        for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
            size_t len = strlen(marks[i].mark);
            if (s.len - at >= len && memcmp(s.data + at, marks[i].mark, len) == 0) {
                buf_adds(&out, marks[i].text);
                step = 0;
                at += len;
                break;
            }
        }
        buf_add(&out, s.data + at, step);
        at += step;
    }
    return buf_steal(&out);
}

static bool
same(const json_t *a, const json_t *b)
{
    const char *key;
    json_t *value;
    size_t i;

    if (json_is_number(a) && json_is_number(b)) {
        return json_number_value(a) == json_number_value(b);
    }
    if (json_is_array(a) && json_is_array(b) && json_array_size(a) == json_array_size(b)) {
        json_array_foreach(a, i, value) {
            if (!same(value, json_array_get(b, i))) {
                return false;
            }
        }
        return true;
    }
    if (json_is_object(a) && json_is_object(b) && json_object_size(a) == json_object_size(b)) {
        json_t *object = json_incref((json_t *)(uintptr_t)a);
        bool equal = true;
        json_object_foreach(object, key, value) {
            equal = equal && same(value, json_object_get(b, key));
        }
        json_decref(object);
        return equal;
    }
    return json_equal(a, b);
}

struct tally {
    unsigned files, equal, refused, must_refuse, unjudged, wrong;
};

static void
judge_case(const char *file, size_t number, const struct ynode *node, struct tally *tally)
{
    char *text = unmark(ynode_text(ynode_get(node, "yaml")));
    const char *expected = ynode_get_string(node, "json");
    bool must_fail = ynode_bool(ynode_get(node, "fail"));
    struct fault fault = FAULT_INIT;
    struct ytree *tree = NULL;

    if (ytree_parse(slice_of(text), NULL, &tree, &fault)) {
        if (!fault.line || !fault.column || !fault.text[0]) {
            print_message("%s #%zu: refused without a place\n", file, number);
            tally->wrong++;
        }
        tally->must_refuse += must_fail;
        tally->refused += !must_fail;
    } else if (must_fail) {
        print_message("%s #%zu: taken, but has to be refused\n", file, number);
        tally->wrong++;
    } else if (!expected) {
        tally->unjudged++;
    } else {
        json_t *got = ynode_to_json(ytree_root(tree));
        json_t *want = json_loads(expected, JSON_DECODE_ANY, NULL);
        bool nothing = expected[0] == '\0'; /* No document: null, for us. */
        if (got && (nothing ? json_is_null(got) : want && same(got, want))) {
            tally->equal++;
        } else {
            char *dump = json_dumps(got, JSON_COMPACT | JSON_ENCODE_ANY);
            print_message("%s #%zu: misread as %s\n", file, number, dump);
            free(dump);
            tally->wrong++;
        }
        json_decref(got);
        json_decref(want);
    }
    ytree_free(tree);
    free(text);
}

static char *
read_file(const char *path, size_t *len)
{
    FILE *f = fopen(path, "rb");
    char *text = xcalloc(1, 1 << 20);

    CHECK(f);
    *len = fread(text, 1, (1 << 20) - 1, f);
    fclose(f);
    return text;
}

/* Each case of the suite is read as it says, or refused with a place; none is misread.  The suite's
 * files are YAML, too, so they are read by what they test. */
static void
the_test_suite_is_never_misread(void **state)
{
    struct tally tally = {0};
    struct dirent *entry;
    DIR *dir = opendir(SUITE);

    (void)state;
    CHECK(dir);
    while ((entry = readdir(dir))) {
        char path[512];
        size_t len;
        char *text;
        struct ytree *tree = NULL;
        struct fault fault = FAULT_INIT;
        if (!strstr(entry->d_name, ".yaml")) {
            continue;
        }
        snprintf(path, sizeof path, SUITE "/%s", entry->d_name);
        text = read_file(path, &len);
        tally.files++;
        if (ytree_parse((struct slice){text, len}, NULL, &tree, &fault)) {
            fail_msg("%s:%u:%u: %s", path, fault.line, fault.column, fault.text);
        }
        for (size_t i = 0; i < ynode_count(ytree_root(tree)); i++) {
            judge_case(entry->d_name, i, ynode_at(ytree_root(tree), i), &tally);
        }
        ytree_free(tree);
        free(text);
    }
    closedir(dir);
    print_message("YAML test suite: %u files; %u cases equal, %u refused though valid, %u refused "
                  "as they must be, %u taken without a value to compare, %u wrong\n",
                  tally.files, tally.equal, tally.refused, tally.must_refuse, tally.unjudged,
                  tally.wrong);
    CHECK_INT(tally.files, 351);
    CHECK_INT(tally.wrong, 0);
    CHECK(tally.equal >= 150);
}

static void
characters_are_told_apart(void **state)
{
    char out[4];
    uint32_t rune;

    (void)state;
    for (uint32_t r = 0; r <= 0x10FFFF; r += r < 0x3000 ? 1 : 61) {
        size_t n;
        if (r >= 0xD800 && r <= 0xDFFF) {
            continue;
        }
        n = rune_encode(r, out);
        CHECK_INT(rune_decode((struct slice){out, n}, 0, &rune), n);
        CHECK_INT(rune, r);
        CHECK_INT(rune_decode((struct slice){out, n - (n > 1)}, 0, &rune) != 0, n == 1);
        CHECK(rune_upper(rune_lower(r)) == rune_upper(r) || r == 0x3A3 || r == 0x3C2);
    }
    CHECK(!rune_valid(SLICE("\xC0\x80")) && !rune_valid(SLICE("\xED\xA0\x80")));
    CHECK(!rune_valid(SLICE("\xF4\x90\x80\x80")) && !rune_valid(SLICE("a\xE2\x28\xA1")));
    CHECK(rune_valid(SLICE("\xF0\x9F\x9B\x91 ok")));
    CHECK_INT(rune_count(SLICE("h\xC3\xA9!")), 3);
    CHECK_INT(rune_cut(SLICE("h\xC3\xA9!"), 2), 1);
    CHECK_INT(rune_cut(SLICE("h\xC3\xA9!"), 9), 4);
    CHECK(rune_is_alnum('Z') && rune_is_alnum(0xE9) && rune_is_alnum(0x4E2D) &&
          !rune_is_alnum('_'));
    CHECK(!rune_is_alnum(0xD7) && !rune_is_alnum(0x2705) && !rune_is_alnum(0x1F6D1));
    CHECK(rune_is_space(0xA0) && rune_is_space('\n') && !rune_is_space('x'));
    CHECK(rune_is_digit('7') && !rune_is_digit('x'));
    CHECK_INT(rune_lower(0xC9), 0xE9);
    CHECK_INT(rune_upper(0x451), 0x401);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars_resolve_by_the_core_schema),
        cmocka_unit_test(structures_and_block_scalars),
        cmocka_unit_test(anchors_are_expanded_within_bounds),
        cmocka_unit_test(what_is_not_taken_is_refused_with_its_place),
        cmocka_unit_test(bounds_hold),
        cmocka_unit_test(nodes_tell_place_kind_and_members),
        cmocka_unit_test(the_test_suite_is_never_misread),
        cmocka_unit_test(characters_are_told_apart),
    };
    return CHECK_RUN(tests);
}
