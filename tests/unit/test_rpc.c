/* test_rpc.c -- messages: what each text is classified as, what is handed out, what is refused. */
#include "handlers/rpc.h"

#include <stdio.h>
#include <time.h>

#include "tests/check.h"

static struct rpc_message m;
static struct fault f;

static enum err
parse(const char *text)
{
    f = (struct fault)FAULT_INIT;
    return rpc_parse(slice_of(text), NULL, &m, &f);
}

#define HAS(SLICE_, TEXT) CHECK(slice_is(SLICE_, TEXT))

static void
request_hands_out_its_members(void **state)
{
    (void)state;
    CHECK(parse(" {\"jsonrpc\" : \"2.0\",\"id\":\"a\\u0041\", \"method\":\"tools/call\",\"params\":"
                "{\"name\":\"x\",\"arguments\":{\"q\":[1,{}]},\"other\":[[]],\"_meta\":{"
                "\"progressToken\":7,\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\"}}"
                "}\n") == E_OK);
    CHECK(m.kind == RPC_REQUEST && m.shape == RPC_REQUEST);
    HAS(m.id, "\"a\\u0041\"");
    CHECK(m.id_kind == KIND_STRING);
    HAS(m.method, "tools/call");
    CHECK(m.params.kind == KIND_OBJECT && m.params.raw.data[m.params.raw.len - 1] == '}');
    HAS(m.param[RPC_PARAM_NAME].raw, "\"x\"");
    HAS(m.param[RPC_PARAM_ARGUMENTS].raw, "{\"q\":[1,{}]}");
    CHECK(m.param[RPC_PARAM_META].kind == KIND_OBJECT);
    CHECK(m.param[RPC_PARAM_URI].kind == KIND_NONE);
    HAS(m.meta[RPC_META_PROGRESS_TOKEN].raw, "7");
    CHECK(m.meta[RPC_META_PROGRESS_TOKEN].kind == KIND_INTEGER);
    HAS(m.meta[RPC_META_PROTOCOL_VERSION].raw, "\"2026-07-28\"");
    CHECK(m.meta[RPC_META_CLIENT_INFO].kind == KIND_NONE);
    CHECK(m.offset == 0 && f.code == E_OK);
}

static void
kinds_are_told_apart(void **state)
{
    static const struct {
        const char *text;
        enum err err;
        enum rpc_kind kind, shape;
        const char *id;
    } rows[] = {
        {"{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"ping\"}", E_OK, RPC_REQUEST, RPC_REQUEST, "0"},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"n\"}", E_OK, RPC_NOTIFICATION, RPC_NOTIFICATION, ""},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}", E_OK, RPC_RESPONSE, RPC_RESPONSE, "1"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-1,\"message\":\"\"}}", E_OK,
         RPC_RESPONSE, RPC_RESPONSE, "1"},
        {"[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]", E_OK, RPC_BATCH, RPC_BATCH, ""},
        {"{\"jsonrpc\":\"2.0\",\"id\":1}", E_INVALID_REQUEST, RPC_INVALID, RPC_REQUEST, "1"},
        {"{\"jsonrpc\":\"2.0\"}", E_INVALID_REQUEST, RPC_INVALID, RPC_INVALID, ""},
        {"{}", E_INVALID_REQUEST, RPC_INVALID, RPC_INVALID, ""},
        {"[]", E_INVALID_REQUEST, RPC_INVALID, RPC_BATCH, ""},
        {"1", E_INVALID_REQUEST, RPC_INVALID, RPC_INVALID, ""},
        {"\"x\"", E_INVALID_REQUEST, RPC_INVALID, RPC_INVALID, ""},
        {"", E_PARSE, RPC_INVALID, RPC_INVALID, ""},
        {"1 1", E_PARSE, RPC_INVALID, RPC_INVALID, ""},
        {"[1", E_PARSE, RPC_INVALID, RPC_INVALID, ""},
        {"[1 1]", E_PARSE, RPC_INVALID, RPC_INVALID, ""},
        {"\xEF\xBB\xBF{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}", E_PARSE, RPC_INVALID,
         RPC_INVALID, ""},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}x", E_PARSE, RPC_INVALID, RPC_INVALID,
         ""},
        {"{\"id\":1,\"method\":\"ping\"}", E_INVALID_REQUEST, RPC_INVALID, RPC_REQUEST, "1"},
        {"{\"jsonrpc\":2.0,\"id\":1,\"method\":\"ping\"}", E_INVALID_REQUEST, RPC_INVALID,
         RPC_REQUEST, "1"},
        {"{\"jsonrpc\":\"2\\u002e0\",\"id\":1,\"method\":\"ping\"}", E_OK, RPC_REQUEST, RPC_REQUEST,
         "1"},
        {"{\"jsonrpc\":\"2.0 \",\"id\":1,\"method\":\"ping\"}", E_INVALID_REQUEST, RPC_INVALID,
         RPC_REQUEST, "1"},
        {"{\"jsonrpc\":\"2.0\",\"method\":5,\"id\":1}", E_INVALID_REQUEST, RPC_INVALID, RPC_REQUEST,
         "1"},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"x\",\"params\":[1],\"id\":1}", E_INVALID_REQUEST,
         RPC_INVALID, RPC_REQUEST, "1"},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"x\",\"params\":null,\"id\":1}", E_INVALID_REQUEST,
         RPC_INVALID, RPC_REQUEST, "1"},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"x\",\"params\":[1]}", E_INVALID_REQUEST, RPC_INVALID,
         RPC_NOTIFICATION, ""},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"x\",\"params\":{\"_meta\":5},\"id\":1}", E_META,
         RPC_INVALID, RPC_REQUEST, "1"},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"x\",\"result\":{},\"id\":1}", E_INVALID_REQUEST,
         RPC_INVALID, RPC_REQUEST, "1"},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"x\",\"error\":{},\"id\":1}", E_INVALID_REQUEST,
         RPC_INVALID, RPC_REQUEST, "1"},
        {"{\"jsonrpc\":\"2.0\",\"result\":{}}", E_INVALID_REQUEST, RPC_INVALID, RPC_RESPONSE, ""},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":[]}", E_INVALID_REQUEST, RPC_INVALID,
         RPC_RESPONSE, "1"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{},\"error\":{}}", E_INVALID_REQUEST,
         RPC_INVALID, RPC_RESPONSE, "1"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":\"boom\"}", E_INVALID_REQUEST, RPC_INVALID,
         RPC_RESPONSE, "1"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":1.5,\"message\":\"\"}}",
         E_INVALID_REQUEST, RPC_INVALID, RPC_RESPONSE, "1"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":1}}", E_INVALID_REQUEST, RPC_INVALID,
         RPC_RESPONSE, "1"},
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        enum err err = parse(rows[i].text);
        if (err != rows[i].err || m.kind != rows[i].kind || m.shape != rows[i].shape ||
            !slice_is(m.id, rows[i].id) || f.code != err) {
            fail_msg("%s: err %d kind %d shape %d id %.*s: %s", rows[i].text, (int)err, (int)m.kind,
                     (int)m.shape, (int)m.id.len, m.id.data, f.text);
        }
    }
}

static void
ids_are_kept_as_written_or_refused(void **state)
{
    static const char *const good[] = {
        "1",
        "0",
        "-0",
        "-1",
        "9223372036854775807",
        "-9223372036854775808",
        "\"\"",
        "\"1\"",
        "\"a\\u0041\"",
        "\"\\ud83d\\ude00\"",
        "\"a\\u0000b\"",
        "\"\xE2\x80\xA8\"",
    };
    static const char *const bad[] = {
        "null",
        "true",
        "false",
        "[1]",
        "{}",
        "1.0",
        "1e3",
        "1E0",
        "9223372036854775808",
        "-9223372036854775809",
        "123456789012345678901234567890",
    };
    char text[200];
    size_t i;

    (void)state;
    for (i = 0; i < sizeof good / sizeof *good; i++) {
        snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\": %s }", good[i]);
        CHECK(parse(text) == E_OK && m.kind == RPC_REQUEST);
        HAS(m.id, good[i]);
    }
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":%s}", bad[i]);
        CHECK(parse(text) == E_INVALID_REQUEST && m.shape == RPC_REQUEST);
        CHECK(m.id.len == 0 && m.id_kind == KIND_NONE);
        CHECK(m.offset == 35);
    }
}

static void
names_twice_are_refused_however_they_are_escaped(void **state)
{
    static const char *const bad[] = {
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\",\"method\":\"b\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\",\"meth\\u006Fd\":\"b\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\",\"x\":1,\"y\":2,\"\\u0078\":3}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\",\"params\":{},\"params\":{}}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\",\"params\":{\"name\":1,\"name\":1}}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\",\"params\":{\"\":1,\"\":1}}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\",\"params\":{\"_meta\":{},\"_meta\":{}}}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\",\"params\":{\"_meta\":{\"q\":1,\"q\":1}}}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\",\"params\":{\"_meta\":{\"progressToken\":1,"
        "\"progressToke\\u006e\":1}}}",
        "{\"params\":{\"_meta\":{\"\\u00e9\":1,\"\xC3\xA9\":1}},\"jsonrpc\":\"2.0\",\"method\":"
        "\"a\",\"id\":1}",
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK(parse(bad[i]) == E_INVALID_REQUEST);
        HAS(m.id, "1");
        CHECK(m.shape == RPC_REQUEST && strstr(f.text, "twice") && m.offset > 0);
    }
    CHECK(parse("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\",\"id\":2}") == E_INVALID_REQUEST);
    CHECK(m.id.len == 0);
    CHECK(parse("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\",\"params\":{\"arguments\":{\"a\":1,"
                "\"a\":2}}}") == E_OK);
}

static void
names_are_exact(void **state)
{
    (void)state;
    CHECK(parse("{\"jsonrpc\":\"2.0\",\"id\":1,\"Method\":\"ping\"}") == E_INVALID_REQUEST);
    CHECK(parse("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\",\"Method\":\"b\"}") == E_OK);
    HAS(m.method, "a");
    CHECK(parse("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\",\"param\xC5\xBF\":{\"name\":1}}") ==
          E_OK);
    CHECK(m.params.kind == KIND_NONE && m.param[RPC_PARAM_NAME].kind == KIND_NONE);
    CHECK(parse("{\"jsonrpc\":\"2.0\",\"method\\u0000\":\"a\",\"id\":1}") == E_INVALID_REQUEST);
    HAS(m.id, "1");
    CHECK(parse("{\"jsonrpc\":\"2.0\",\"id\":1,\"\\u006d\\u0065thod\":\"\\u0070ing\\u0000x\"}") ==
          E_OK);
    CHECK(m.method.len == 6 && memcmp(m.method.data, "ping\0x", 6) == 0);
    /* Words of one level are nothing special on another. */
    CHECK(parse("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\",\"name\":1,\"params\":{\"id\":2,"
                "\"traceparent\":3,\"_meta\":{\"name\":4}}}") == E_OK);
    HAS(m.id, "1");
    CHECK(m.param[RPC_PARAM_NAME].kind == KIND_NONE);
    CHECK(m.meta[RPC_META_TRACEPARENT].kind == KIND_NONE);
}

static void
every_word_of_the_tables_is_found(void **state)
{
    char text[400];

    (void)state;
#define ROW(NAME, TEXT)                                                                          \
    snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"method\":\"a\",\"params\":{\"%s\":{}}}", \
             TEXT);                                                                              \
    CHECK(parse(text) == E_OK);                                                                  \
    CHECK(m.param[RPC_PARAM_##NAME].kind == KIND_OBJECT);
    RPC_PARAMS(ROW)
#undef ROW
#define ROW(NAME, TEXT)                                                      \
    snprintf(text, sizeof text,                                              \
             "{\"jsonrpc\":\"2.0\",\"method\":\"a\",\"params\":{\"_meta\":{" \
             "\"%s\":null}}}",                                               \
             TEXT);                                                          \
    CHECK(parse(text) == E_OK);                                              \
    CHECK(m.meta[RPC_META_##NAME].kind == KIND_NULL);
    RPC_META(ROW)
#undef ROW
}

/* A request with 'piece' written 'times' times between 'head' and 'tail'. */
static enum err
parse_many(const char *head, const char *piece, size_t times, const char *tail)
{
    struct buf b = BUF_INIT;
    enum err err;

    buf_adds(&b, head);
    while (times-- > 0) {
        buf_adds(&b, piece);
    }
    buf_adds(&b, tail);
    f = (struct fault)FAULT_INIT;
    err = rpc_parse(buf_slice(&b), NULL, &m, &f);
    m.id = SLICE_NONE; /* It lies in what is freed here. */
    buf_fini(&b);
    return err;
}

static void
lengths_are_limited(void **state)
{
    const char *method = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"";
    const char *id = "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":\"";

    (void)state;
    CHECK(parse_many(method, "m", RPC_METHOD_MAX, "\"}") == E_OK);
    CHECK(parse_many(method, "m", RPC_METHOD_MAX + 1, "\"}") == E_INVALID_REQUEST);
    CHECK(parse_many(method, "\\u006d", RPC_METHOD_MAX, "\"}") == E_OK);
    CHECK(parse_many(method, "\\u006d", RPC_METHOD_MAX + 1, "\"}") == E_INVALID_REQUEST);
    CHECK(parse_many(method, "m", 65536, "\"}") == E_INVALID_REQUEST);
    CHECK(parse_many(id, "i", RPC_ID_MAX, "\"}") == E_OK);
    CHECK(parse_many(id, "i", RPC_ID_MAX + 1, "\"}") == E_INVALID_REQUEST);
    CHECK(parse_many(id, "\\u00e4", RPC_ID_MAX / 2, "\"}") == E_OK);
    CHECK(parse_many(id, "\\u00e4", RPC_ID_MAX / 2 + 1, "\"}") == E_INVALID_REQUEST);
    CHECK(parse_many(id, "i", 200000, "\"}") == E_INVALID_REQUEST);
}

/* A request with 'value' as a member of its params, and its id at the end. */
static enum err
parse_x(const char *value, const struct json_limits *limits)
{
    char text[200];
    enum err err;

    snprintf(text, sizeof text,
             "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":{\"x\":%s},\"id"
             "\":1}",
             value);
    err = rpc_parse(slice_of(text), limits, &m, &f);
    HAS(m.id, "1");
    m.id = SLICE_NONE;
    return err;
}

static void
depth_and_values_are_limited(void **state)
{
    static const char head[] = "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":{\"x\":[[],";
    struct json_limits limits = {5, 9};
    struct buf b = BUF_INIT;
    size_t depth;

    (void)state;
    /* Default depth 64: message, params, and 62 arrays. */
    for (depth = 60; depth < 70; depth++) {
        size_t i;
        buf_reset(&b);
        buf_adds(&b, "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":{\"x\":");
        for (i = 2; i < depth; i++) {
            buf_adds(&b, "[");
        }
        for (i = 2; i < depth; i++) {
            buf_adds(&b, "]");
        }
        buf_adds(&b, "},\"id\":17}");
        CHECK(rpc_parse(buf_slice(&b), NULL, &m, &f) == (depth <= 64 ? E_OK : E_PARSE));
        HAS(m.id, "17");
        CHECK(m.shape == RPC_REQUEST);
    }
    buf_fini(&b);
    /* Default values 50,000: the message, jsonrpc, method, params, x, its first element. */
    CHECK(parse_many(head, "0,", 49993, "0]}}") == E_OK);
    CHECK(parse_many(head, "0,", 49994, "0]}}") == E_MESSAGE_LARGE);
    CHECK(m.shape == RPC_NOTIFICATION);
    /* Limits of the caller's. */
    CHECK(parse_x("[[[1]]]", &limits) == E_OK);
    CHECK(parse_x("[[[{}]]]", &limits) == E_PARSE);
    CHECK(parse_x("[[[1,2]]]", &limits) == E_MESSAGE_LARGE);
    limits.values = 10;
    CHECK(parse_x("[[[1,2]]]", &limits) == E_OK);
    /* Far too deep: the id is kept if it came before, and nothing is guessed if it did not. */
    parse_many("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\",\"params\":{\"x\":", "[", 5000,
               "]"
               "}"
               "}");
    CHECK(f.code == E_PARSE && m.shape == RPC_REQUEST && m.id_kind == KIND_INTEGER);
    parse_many("{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":{\"x\":", "[", 100000, "]}}");
    CHECK(f.code == E_PARSE && m.shape == RPC_INVALID && m.id_kind == KIND_NONE);
}

static void
unknown_members_are_counted(void **state)
{
    struct buf b = BUF_INIT;
    int i;

    (void)state;
    buf_adds(&b, "{\"jsonrpc\":\"2.0\",\"method\":\"m\"");
    for (i = 0; i < RPC_UNKNOWN_MAX; i++) {
        buf_addf(&b, ",\"k%d\":%d", i, i);
    }
    buf_adds(&b, "}");
    CHECK(rpc_parse(buf_slice(&b), NULL, &m, &f) == E_OK);
    b.len--;
    buf_adds(&b, ",\"more\":0}");
    CHECK(rpc_parse(buf_slice(&b), NULL, &m, &f) == E_INVALID_REQUEST);
    buf_fini(&b);
}

static void
batch_is_split(void **state)
{
    struct json_iter it;
    struct slice text;

    (void)state;
    CHECK(parse(" [ {\"a\" : [1]} ,2,[3]]") == E_OK && m.kind == RPC_BATCH && m.batch_count == 3);
    rpc_batch_init(&it, &m);
    CHECK(rpc_batch_next(&it, &text));
    HAS(text, "{\"a\" : [1]}");
    CHECK(rpc_batch_next(&it, &text));
    HAS(text, "2");
    CHECK(rpc_batch_next(&it, &text));
    HAS(text, "[3]");
    CHECK(!rpc_batch_next(&it, &text) && text.len == 0);
    CHECK(!rpc_batch_next(&it, &text));
    CHECK(parse_many("[", "1,", RPC_BATCH_MAX - 1, "1]") == E_OK);
    CHECK(parse_many("[", "1,", RPC_BATCH_MAX, "1]") == E_MESSAGE_LARGE);
    CHECK(m.shape == RPC_BATCH && m.kind == RPC_INVALID);
    CHECK(parse_many("[", "[", 100, "") == E_PARSE);
    CHECK(parse_many("[", "[", 1000, "") == E_PARSE);
}

static void
copy_lies_in_the_copied_text(void **state)
{
    static const char text[] = "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"\\u0061b\",\"params\":{"
                               "\"name\":\"n\",\"_meta\":{\"traceparent\":\"t\"}}}";
    struct rpc_message other;
    char *copy = xstrdup(text);

    (void)state;
    CHECK(parse(text) == E_OK);
    rpc_copy(&other, &m, slice_of(text), copy);
    memset(&m, 'x', sizeof m);
    HAS(other.id, "7");
    HAS(other.method, "ab");
    HAS(other.param[RPC_PARAM_NAME].raw, "\"n\"");
    HAS(other.meta[RPC_META_TRACEPARENT].raw, "\"t\"");
    CHECK(other.id.data > copy && other.id.data < copy + sizeof text);
    CHECK(other.params.raw.data == strstr(copy, "{\"name"));
    CHECK(other.method.data == other.method_text && other.result.raw.data == NULL);
    CHECK(parse(strcpy(copy, "{\"jsonrpc\":\"2.0\",\"method\":\"ab\"}")) == E_OK);
    rpc_copy(&other, &m, slice_of(copy), text);
    CHECK(other.method.data == text + 27);
    free(copy);
}

static void
ids_compare_by_value(void **state)
{
    (void)state;
    CHECK(rpc_id_equal(SLICE("1"), SLICE("1")));
    CHECK(rpc_id_equal(SLICE("0"), SLICE("-0")));
    CHECK(!rpc_id_equal(SLICE("1"), SLICE("\"1\"")));
    CHECK(!rpc_id_equal(SLICE("1"), SLICE("2")));
    CHECK(rpc_id_equal(SLICE("\"a\\u0041\""), SLICE("\"aA\"")));
    CHECK(!rpc_id_equal(SLICE("\"a\\u0041\""), SLICE("\"aB\"")));
    CHECK(!rpc_id_equal(SLICE("\"a\\u0041\""), SLICE("\"aAA\"")));
    CHECK(!rpc_id_equal(SLICE_NONE, SLICE("1")));
}

static void
trees_are_loaded_strictly(void **state)
{
    struct json_value value = {SLICE("{\"a\":[1,\"x\"]}"), KIND_OBJECT};
    json_t *tree;

    (void)state;
    CHECK(rpc_load(&value, "arguments", &tree, &f) == E_OK && json_object_size(tree) == 1);
    json_decref(tree);
    value.kind = KIND_NONE;
    CHECK(rpc_load(&value, "arguments", &tree, &f) == E_OK && !tree);
    value = (struct json_value){SLICE("{\"a\":1,\"a\":2}"), KIND_OBJECT};
    CHECK(rpc_load(&value, "arguments", &tree, &f) == E_PARAMS && !tree);
    CHECK(strstr(f.text, "arguments cannot be read: ") == f.text);
    value = (struct json_value){SLICE("{\"a\":\"\\u0000\"}"), KIND_OBJECT};
    CHECK(rpc_load(&value, "arguments", &tree, &f) == E_PARAMS);
    value = (struct json_value){SLICE("1e999"), KIND_REAL};
    CHECK(rpc_load(&value, "arguments", &tree, &f) == E_PARAMS);
}

static void
errors_say_where(void **state)
{
    (void)state;
    CHECK(parse("{\"jsonrpc\":\"2.0\",\n \"id\":1 \"method\":\"x\"}") == E_PARSE);
    CHECK_STR(f.text, "not JSON as tandem takes it: ',' or '}' was expected, at byte 26");
    CHECK(f.line == 2 && f.column == 9 && m.offset == 26 && m.id.len == 0);
    CHECK(parse("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"\xC3\xA9ssssssssssssssssssssssss"
                "sssssssssssssssssssssssssssssssss\xC3\xA9ss\":1,\"\xC3\xA9ssssssssssssssssssssss"
                "sss"
                "ssssssssssssssssssssssssssssssss\xC3\xA9ss\":1}") == E_INVALID_REQUEST);
    CHECK_STR(f.text, "the message has the member \"\xC3\xA9sssssssssssssssssssssssssssssssssssss"
                      "ssss"
                      "ssssssssssssssss\" twice");
}

/* No proper prefix of a message may be taken for one, and no change of a byte may do harm. */
static void
cut_and_changed_messages_are_survived(void **state)
{
    static const char *const texts[] = {
        "{\"jsonrpc\":\"2.0\",\"id\":-12,\"method\":\"tools/call\",\"params\":{\"name\":\"a\\u00e"
        "4\\n\","
        "\"arguments\":{\"a\":[true,false,null,-1.5e+3,\"\xE2\x82\xAC\"]},\"_meta\":{\"x\":{}}}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":"
        "\"\\ud83d\\ude00\",\"progress\":0.5}}",
        "{\"id\":\"x\",\"error\":{\"code\":-32600,\"message\":\"m\",\"data\":[{}]},\"jsonrpc\":\""
        "2.0\"}",
        "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"},{\"jsonrpc\":\"2.0\",\"method\":\"n"
        "\"}]",
    };
    size_t i, j;
    int bit;

    (void)state;
    for (i = 0; i < sizeof texts / sizeof *texts; i++) {
        size_t len = strlen(texts[i]);
        CHECK(parse(texts[i]) == E_OK);
        for (j = 0; j < len; j++) {
            /* In memory of its exact size, so that a read past the end is seen. */
            char *copy = try_malloc(len);
            memcpy(copy, texts[i], j);
            char *exact = xstrndup(texts[i], j);
            struct slice cut = {exact, j};
            CHECK(rpc_parse(cut, NULL, &m, &f) == E_PARSE && m.kind == RPC_INVALID);
            CHECK(m.id.len == 0 && m.offset <= j);
            free(exact);
            memcpy(copy, texts[i], len);
            for (bit = 0; bit < 256; bit++) {
                copy[j] = (char)bit;
                enum err err = rpc_parse((struct slice){copy, len}, NULL, &m, &f);
                CHECK((err == E_OK) == (m.kind != RPC_INVALID));
            }
            free(copy);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_hands_out_its_members),
        cmocka_unit_test(kinds_are_told_apart),
        cmocka_unit_test(ids_are_kept_as_written_or_refused),
        cmocka_unit_test(names_twice_are_refused_however_they_are_escaped),
        cmocka_unit_test(names_are_exact),
        cmocka_unit_test(every_word_of_the_tables_is_found),
        cmocka_unit_test(lengths_are_limited),
        cmocka_unit_test(depth_and_values_are_limited),
        cmocka_unit_test(unknown_members_are_counted),
        cmocka_unit_test(batch_is_split),
        cmocka_unit_test(copy_lies_in_the_copied_text),
        cmocka_unit_test(ids_compare_by_value),
        cmocka_unit_test(trees_are_loaded_strictly),
        cmocka_unit_test(errors_say_where),
        cmocka_unit_test(cut_and_changed_messages_are_survived),
    };
    return CHECK_RUN(tests);
}
