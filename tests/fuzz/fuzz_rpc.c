/* fuzz_rpc.c -- any bytes as a message: what must hold whatever they are.
 *
 * Run by "make fuzz-rpc"; finds are kept in tests/fuzz/corpus/rpc. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "handlers/rpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(CONDITION)                                                                \
    do {                                                                               \
        if (!(CONDITION)) {                                                            \
            fprintf(stderr, "fuzz_rpc: does not hold: %s (%s)\n", #CONDITION, f.text); \
            abort();                                                                   \
        }                                                                              \
    } while (0)

static struct fault f;

static void
must_lie_inside(struct slice text, const struct json_value *value)
{
    MUST((value->kind == KIND_NONE) == (value->raw.len == 0));
    if (value->kind != KIND_NONE) {
        MUST(value->raw.data >= text.data &&
             value->raw.data + value->raw.len <= text.data + text.len);
    }
    if (value->kind == KIND_STRING) {
        struct buf b = BUF_INIT;
        MUST(json_string_add(value->raw, &b));
        buf_fini(&b);
    }
}

/* A slice read again has the same members, and is read to its end. */
static void
must_be_walked(struct slice container, unsigned depth)
{
    struct json_value value;
    struct json_iter it;
    struct slice name;

    MUST(json_iter_init(&it, container));
    while (json_iter_next(&it, &name, &value)) {
        if ((value.kind == KIND_OBJECT || value.kind == KIND_ARRAY) && depth < 4) {
            must_be_walked(value.raw, depth + 1);
        }
    }
    MUST(!it.broken);
}

static void
must_be_a_message(struct slice text, const struct rpc_message *m)
{
    struct rpc_message again;
    size_t i, len = text.len;

    MUST(m->kind == m->shape && m->offset == 0);
    MUST((m->id.len > 0) == (m->kind == RPC_REQUEST || m->kind == RPC_RESPONSE));
    for (i = 0; i < RPC_PARAM_COUNT; i++) {
        must_lie_inside(text, &m->param[i]);
    }
    for (i = 0; i < RPC_META_COUNT; i++) {
        must_lie_inside(text, &m->meta[i]);
    }
    if (m->params.kind != KIND_NONE) {
        must_be_walked(m->params.raw, 0);
    }
    rpc_copy(&again, m, text, text.data);
    MUST(slice_equal(again.method, m->method) && rpc_id_equal(again.id, m->id));
    /* Without its last brace it is none. */
    while (text.data[len - 1] != '}' && text.data[len - 1] != ']') {
        len--;
    }
    MUST(rpc_parse((struct slice){text.data, len - 1}, NULL, &again, &f) == E_PARSE);
}

/* The scan and jansson must agree on what is JSON, but for the differences that
 * test_json_scan.c tells. */
static void
must_agree(struct slice text, enum err err)
{
    json_error_t error;
    json_t *tree = json_loadb(text.data, text.len, JSON_ALLOW_NUL, &error);

    if (tree) {
        MUST(err != E_PARSE || strstr(f.text, "too deep") || memchr(text.data, 0, text.len));
    } else if (err == E_OK) {
        MUST(json_error_code(&error) == json_error_numeric_overflow);
    }
    json_decref(tree);
}

static void
one_text(struct slice text, unsigned depth)
{
    static const struct json_limits tight = {8, 100};
    struct rpc_message *m = malloc(sizeof *m);
    struct json_iter it;
    struct slice element;
    enum err err;

    f = (struct fault)FAULT_INIT;
    err = rpc_parse(text, NULL, m, &f);
    MUST((err == E_OK) == (m->kind != RPC_INVALID) && f.code == err);
    MUST(m->offset <= text.len);
    if (m->id.len > 0) {
        MUST(m->id.data >= text.data && m->id.data + m->id.len <= text.data + text.len);
        MUST(rpc_id_equal(m->id, m->id));
    }
    must_agree(text, err);
    if (m->kind == RPC_BATCH && depth == 0) {
        size_t count = 0;
        for (rpc_batch_init(&it, m); rpc_batch_next(&it, &element); count++) {
            one_text(element, 1);
        }
        MUST(count == m->batch_count);
    } else if (err == E_OK && m->kind != RPC_BATCH) {
        must_be_a_message(text, m);
    }
    if (rpc_parse(text, &tight, m, &f) == E_OK) {
        MUST(err == E_OK);
    }
    free(m);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    one_text((struct slice){(const char *)data, size}, 0);
    return 0;
}
