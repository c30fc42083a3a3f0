/* rpc.c -- from bytes to a classified message.
 *
 * DESIGN.  Three levels are read member by member (the message, 'params', 'params._meta'), each
 * with its table of words; whatever else is inside is stepped over by the scanner.  What is wrong
 * with the JSON itself ends the reading.  What is wrong with the message is remembered, the first
 * one only, and the reading goes on: many clients write the id last, and it has to be echoed.
 * Pure. */
#include "handlers/rpc.h"

#include <assert.h>

#include "handlers/json_tree.h"
#include "state/base/rune.h"

/* Longer than any word of a table, so a longer name is none of them. */
#define WORD_MAX 64

/* A level's table: the number of the word 'name', or -1. */
typedef int find_word(struct slice name);

#define ROW(NAME, TEXT)                                                                 \
    if (name.len == sizeof TEXT - 1 && memcmp(name.data, TEXT, sizeof TEXT - 1) == 0) { \
        return FOUND(NAME);                                                             \
    }
#define FOUND(NAME) RPC_MEMBER_##NAME
static int
find_member(struct slice name)
{
    RPC_MEMBERS(ROW)
    return -1;
}
#undef FOUND
#define FOUND(NAME) RPC_PARAM_##NAME
static int
find_param(struct slice name)
{
    RPC_PARAMS(ROW)
    return -1;
}
#undef FOUND
#define FOUND(NAME) RPC_META_##NAME
static int
find_meta(struct slice name)
{
    RPC_META(ROW)
    return -1;
}
#undef FOUND
#undef ROW

struct reading {
    struct json_scan scan;
    struct rpc_message *m;
    struct fault *fault;
    enum err err; /* Of the message, not of the JSON; the first one. */
    bool id_twice;
    struct json_value member[RPC_MEMBER_COUNT];
};

/* One level: where its known members go, and the member below which the next level lies. */
struct level {
    const char *where;
    find_word *find;
    struct json_value *values;
    int inner; /* -1 for none. */
    const struct level *next;
};

/* The names of a level that are in no table, to find one that is there twice. */
struct unknown {
    size_t count;
    uint32_t hash[RPC_UNKNOWN_MAX];
    struct json_text name[RPC_UNKNOWN_MAX];
};

/* Notes an error of the message, with the byte where it is; only the first one is kept. */
#define refuse(R, ERR, AT, ...)                                              \
    do {                                                                     \
        if ((R)->err == E_OK) {                                              \
            (R)->err = fault_set((R)->fault, ERR, __VA_ARGS__);              \
            (R)->m->offset = (size_t)((AT) - (const char *)(R)->scan.start); \
        }                                                                    \
    } while (0)

static void refuse_twice(struct reading *r, const struct json_text *name, const char *where)
    __attribute__((cold, noinline));

static void
refuse_twice(struct reading *r, const struct json_text *name, const char *where)
{
    refuse(r, E_INVALID_REQUEST, name->raw.data, "%s has the member \"%.*s\" twice", where,
           (int)rune_cut(name->raw, 60), name->raw.data);
}

/* Remembers a name that is in no table, and refuses one that was there before. */
static void
note_unknown(struct reading *r, struct unknown *u, const struct json_text *name, const char *where)
{
    uint32_t hash = json_text_hash(name);
    size_t i;

    for (i = 0; i < u->count; i++) {
        if (u->hash[i] == hash && json_text_equal(&u->name[i], name)) {
            refuse_twice(r, name, where);
            return;
        }
    }
    if (u->count == RPC_UNKNOWN_MAX) {
        refuse(r, E_INVALID_REQUEST, name->raw.data, "%s has more than %d members of unknown name",
               where, RPC_UNKNOWN_MAX);
        return;
    }
    u->hash[u->count] = hash;
    u->name[u->count++] = *name;
}

static int
find_escaped(const struct level *level, const struct json_text *name)
{
    char word[WORD_MAX];
    ssize_t len = json_text_into(name, word, sizeof word);

    return len < 0 ? -1 : level->find((struct slice){word, (size_t)len});
}

/* Reads the object in which the scan stands, and those below it that have a level of their own.
 * False on a hard flaw. */
static bool
read_level(struct reading *r, const struct level *level)
{
    struct json_scan *s = &r->scan;
    struct unknown unknown NOT_CLEARED;
    struct json_text name;
    bool first;

    unknown.count = 0;
    if (!json_scan_enter(s)) {
        return false;
    }
    for (first = true;; first = false) {
        struct json_value scratch, *value = &scratch;
        enum json_step step = json_scan_member(s, &name, first);
        int word;

        if (step != STEP_VALUE) {
            return step == STEP_END;
        }
        word = name.escaped ? find_escaped(level, &name) : level->find(name.raw);
        if (word < 0) {
            note_unknown(r, &unknown, &name, level->where);
        } else if (level->values[word].kind != KIND_NONE) {
            refuse_twice(r, &name, level->where);
            r->id_twice |= level->find == find_member && word == RPC_MEMBER_ID;
        } else {
            value = &level->values[word];
        }
        if (word >= 0 && word == level->inner && value != &scratch && json_scan_peek(s) == '{') {
            value->raw.data = (const char *)s->p;
            value->kind = KIND_OBJECT;
            if (!read_level(r, level->next)) {
                value->kind = KIND_NONE;
                return false;
            }
            value->raw.len = (size_t)((const char *)s->p - value->raw.data);
        } else if (!json_scan_value(s, value)) {
            return false;
        }
    }
}

/* The contents of a string that the scan has let pass. */
static struct json_text
contents(const struct json_value *string)
{
    struct json_text text = {.raw = {string->raw.data + 1, string->raw.len - 2}};

    text.escaped = text.raw.len > 0 && memchr(text.raw.data, '\\', text.raw.len);
    return text;
}

/* Takes the id if it is an acceptable one: an integer of 64 bits or a short string. */
static void
take_id(struct reading *r)
{
    const struct json_value *id = &r->member[RPC_MEMBER_ID];
    int64_t number;
    bool good = false;

    if (id->kind == KIND_INTEGER) {
        good = json_slice_int(id->raw, &number);
    } else if (id->kind == KIND_STRING) {
        struct json_text text = contents(id);
        good =
            text.raw.len <= RPC_ID_MAX || (text.escaped && json_text_length(&text) <= RPC_ID_MAX);
    }
    if (good && !r->id_twice) {
        r->m->id = id->raw;
        r->m->id_kind = id->kind;
    } else if (id->kind != KIND_NONE) {
        refuse(r, E_INVALID_REQUEST, id->raw.data,
               "the id must be an integer of 64 bits or a string of at most %d bytes", RPC_ID_MAX);
    }
}

/* Takes the method's name, unescaped. */
static void
take_method(struct reading *r)
{
    const struct json_value *method = &r->member[RPC_MEMBER_METHOD];
    struct json_text text;
    ssize_t len;

    if (method->kind != KIND_STRING) {
        refuse(r, E_INVALID_REQUEST, method->raw.data, "the method must be a string");
        return;
    }
    text = contents(method);
    if (text.escaped) {
        len = json_text_into(&text, r->m->method_text, sizeof r->m->method_text);
        if (len >= 0) {
            r->m->method = (struct slice){r->m->method_text, (size_t)len};
            return;
        }
    } else if (text.raw.len <= RPC_METHOD_MAX) {
        r->m->method = text.raw;
        return;
    }
    refuse(r, E_INVALID_REQUEST, method->raw.data, "the method's name has more than %d bytes",
           RPC_METHOD_MAX);
}

/* What the members that are there make of it. */
static enum rpc_kind
shape_of(const struct reading *r)
{
    bool id = r->member[RPC_MEMBER_ID].kind != KIND_NONE;

    if (r->member[RPC_MEMBER_METHOD].kind != KIND_NONE) {
        return id ? RPC_REQUEST : RPC_NOTIFICATION;
    }
    if (r->member[RPC_MEMBER_RESULT].kind != KIND_NONE ||
        r->member[RPC_MEMBER_ERROR].kind != KIND_NONE) {
        return RPC_RESPONSE;
    }
    return id ? RPC_REQUEST : RPC_INVALID;
}

static void
check_response(struct reading *r)
{
    const struct json_value *result = &r->member[RPC_MEMBER_RESULT];
    const struct json_value *error = &r->member[RPC_MEMBER_ERROR];
    struct json_value code, message;

    r->m->result = *result;
    r->m->error = *error;
    if (r->member[RPC_MEMBER_ID].kind == KIND_NONE) {
        refuse(r, E_INVALID_REQUEST, (const char *)r->scan.start, "a response needs an id");
    }
    if (result->kind != KIND_NONE && error->kind != KIND_NONE) {
        refuse(r, E_INVALID_REQUEST, error->raw.data,
               "a response has either a result or an error, not both");
    } else if (result->kind != KIND_NONE && result->kind != KIND_OBJECT) {
        refuse(r, E_INVALID_REQUEST, result->raw.data, "a result must be an object");
    } else if (error->kind != KIND_NONE &&
               (error->kind != KIND_OBJECT || !json_slice_member(error->raw, "code", &code) ||
                !json_slice_member(error->raw, "message", &message) || code.kind != KIND_INTEGER ||
                message.kind != KIND_STRING)) {
        refuse(r, E_INVALID_REQUEST, error->raw.data,
               "an error must be an object with an integer code and a message");
    }
}

static void
check_call(struct reading *r)
{
    const struct json_value *params = &r->member[RPC_MEMBER_PARAMS];
    const struct json_value *meta = &r->m->param[RPC_PARAM_META];
    const struct json_value *answer = &r->member[RPC_MEMBER_RESULT];

    take_method(r);
    if (answer->kind == KIND_NONE) {
        answer = &r->member[RPC_MEMBER_ERROR];
    }
    if (answer->kind != KIND_NONE) {
        refuse(r, E_INVALID_REQUEST, answer->raw.data,
               "a message has a method, or a result or error, not both");
    }
    if (params->kind == KIND_OBJECT) {
        r->m->params = *params;
    } else if (params->kind != KIND_NONE) {
        refuse(r, E_INVALID_REQUEST, params->raw.data, "params must be an object");
    }
    if (meta->kind != KIND_NONE && meta->kind != KIND_OBJECT) {
        refuse(r, E_META, meta->raw.data, "_meta must be an object");
    }
}

/* Decides what the object that was read is, and whether it is right. */
static void
classify(struct reading *r)
{
    const struct json_value *jsonrpc = &r->member[RPC_MEMBER_JSONRPC];

    r->m->shape = shape_of(r);
    take_id(r);
    if (jsonrpc->kind != KIND_STRING || !json_string_is(jsonrpc->raw, "2.0")) {
        refuse(r, E_INVALID_REQUEST,
               jsonrpc->kind == KIND_NONE ? (const char *)r->scan.start : jsonrpc->raw.data,
               "the member jsonrpc must be \"2.0\"");
    }
    if (r->m->shape == RPC_RESPONSE) {
        check_response(r);
    } else if (r->member[RPC_MEMBER_METHOD].kind != KIND_NONE) {
        check_call(r);
    } else {
        refuse(r, E_INVALID_REQUEST, (const char *)r->scan.start,
               "a message needs a method, a result or an error");
    }
    r->m->kind = r->err ? RPC_INVALID : r->m->shape;
}

/* Reads an array to its end and counts its elements.  False on a hard flaw. */
static bool
read_batch(struct reading *r)
{
    struct json_value *batch = &r->m->batch;
    struct json_value element;
    enum json_step step;

    batch->raw.data = (const char *)r->scan.p;
    if (!json_scan_enter(&r->scan)) {
        return false;
    }
    while ((step = json_scan_element(&r->scan, r->m->batch_count == 0)) == STEP_VALUE) {
        if (!json_scan_value(&r->scan, &element)) {
            return false;
        }
        if (++r->m->batch_count > RPC_BATCH_MAX) {
            refuse(r, E_MESSAGE_LARGE, element.raw.data, "a batch has at most %d messages",
                   RPC_BATCH_MAX);
        }
    }
    if (step == STEP_BROKEN) {
        return false;
    }
    if (r->m->batch_count == 0) {
        refuse(r, E_INVALID_REQUEST, batch->raw.data, "an empty batch is no message");
    }
    batch->raw.len = (size_t)((const char *)r->scan.p - batch->raw.data);
    batch->kind = KIND_ARRAY;
    r->m->kind = r->err ? RPC_INVALID : RPC_BATCH;
    r->m->shape = RPC_BATCH;
    return true;
}

static bool
read_text(struct reading *r)
{
    const struct level meta = {"params._meta", find_meta, r->m->meta, -1, NULL};
    const struct level params = {"params", find_param, r->m->param, RPC_PARAM_META, &meta};
    const struct level message = {"the message", find_member, r->member, RPC_MEMBER_PARAMS,
                                  &params};
    struct json_value other;
    unsigned char c = json_scan_peek(&r->scan);

    if (c == '{') {
        return read_level(r, &message) && json_scan_end(&r->scan);
    }
    if (c == '[') {
        return read_batch(r) && json_scan_end(&r->scan);
    }
    if (!json_scan_value(&r->scan, &other) || !json_scan_end(&r->scan)) {
        return false;
    }
    refuse(r, E_INVALID_REQUEST, other.raw.data, "a message must be an object");
    return true;
}

void
rpc_init(struct rpc_message *m)
{
    memset(m, 0, offsetof(struct rpc_message, method_text));
}

enum err
rpc_parse(struct slice text, const struct json_limits *limits, struct rpc_message *m,
          struct fault *f)
{
    struct reading r = {.m = m, .fault = f};
    bool whole;

    rpc_init(m);
    json_scan_init(&r.scan, text, limits);
    whole = read_text(&r);
    if (r.scan.flaw != FLAW_NONE && (r.err == E_OK || !whole || r.scan.flaw != FLAW_NUL_NAME)) {
        r.err = json_scan_fault(&r.scan, f);
        m->offset = (size_t)(r.scan.flaw_at - r.scan.start);
    }
    if (m->shape != RPC_BATCH && (whole || r.scan.flaw == FLAW_ABYSS)) {
        classify(&r);
        if (!whole && m->id.len == 0) {
            m->shape = RPC_INVALID; /* There may be an id further on. */
        }
    }
    m->kind = r.err ? RPC_INVALID : m->kind;
    return r.err;
}

/* Moves a slice from one text to its copy; one that lies elsewhere is left alone. */
static void
move(struct slice *s, struct slice text, const char *copy)
{
    uintptr_t offset = (uintptr_t)s->data - (uintptr_t)text.data;

    if (s->data && offset <= text.len) {
        s->data = copy + offset;
    }
}

void
rpc_copy(struct rpc_message *to, const struct rpc_message *from, struct slice text,
         const char *copy)
{
    struct json_value *const alone[] = {&to->params, &to->result, &to->error, &to->batch};
    size_t i;

    *to = *from;
    move(&to->id, text, copy);
    if (from->method.data == from->method_text) {
        to->method.data = to->method_text;
    } else {
        move(&to->method, text, copy);
    }
    for (i = 0; i < sizeof alone / sizeof *alone; i++) {
        move(&alone[i]->raw, text, copy);
    }
    for (i = 0; i < RPC_PARAM_COUNT; i++) {
        move(&to->param[i].raw, text, copy);
    }
    for (i = 0; i < RPC_META_COUNT; i++) {
        move(&to->meta[i].raw, text, copy);
    }
}

void
rpc_batch_init(struct json_iter *it, const struct rpc_message *batch)
{
    assert(batch->batch.kind == KIND_ARRAY);
    json_iter_init(it, batch->batch.raw);
}

bool
rpc_batch_next(struct json_iter *it, struct slice *text)
{
    struct json_value value;
    bool more = json_iter_next(it, NULL, &value);

    *text = more ? value.raw : SLICE_NONE;
    return more;
}

bool
rpc_id_equal(struct slice a, struct slice b)
{
    struct json_text x, y;

    if (slice_equal(a, b)) {
        return true;
    }
    if (a.len < 2 || b.len < 2 || a.data[0] != '"' || b.data[0] != '"') {
        int64_t i, j;
        return json_slice_int(a, &i) && json_slice_int(b, &j) && i == j;
    }
    x = (struct json_text){.raw = {a.data + 1, a.len - 2}, .escaped = true};
    y = (struct json_text){.raw = {b.data + 1, b.len - 2}, .escaped = true};
    return json_text_equal(&x, &y);
}

enum err
rpc_load(const struct json_value *value, const char *name, json_t **tree, struct fault *f)
{
    struct json_tree_flaw flaw;

    *tree = NULL;
    if (value->kind == KIND_NONE) {
        return E_OK;
    }
    *tree = json_tree_again(value->raw, &flaw);
    if (*tree) {
        return E_OK;
    }
    if (flaw.memory) {
        return fault_set(f, E_OVERLOAD, "there is no memory for %s now", name);
    }
    if (flaw.nul) {
        fault_set(f, E_PARAMS, "a string in %s holds the character U+0000 (byte %zu of it)", name,
                  flaw.at);
        return fault_remedy(f, "leave it out: no text that is meant to be read has it");
    }
    return fault_set(f, E_PARAMS, "%s cannot be read: %s (byte %zu of it)", name, flaw.text,
                     flaw.at);
}
