/* tools_at_hand.c -- the text of an answer in pieces, and putting it together.
 *
 * The pieces stand one behind the other in one allocation, behind their lengths: the result as the
 * text of a content block (escaped, as far as the number and from there), the same as JSON, and the
 * blocks that follow the first. */
#include "handlers/tools_at_hand.h"

#include "handlers/dispatch_private.h"
#include "handlers/era.h"
#include "handlers/json_slice.h"
#include "handlers/tools_private.h"
#include "state/base/json_put.h"

#include <assert.h>

enum piece { TEXT_HEAD, TEXT_TAIL, JSON_HEAD, JSON_TAIL, BLOCKS, PIECES };

struct layout {
    size_t end[PIECES]; /* Of each piece; the first begins at 0. */
};

static struct slice
piece_of(const struct bytes *written, enum piece piece)
{
    const char *text = written->data + sizeof(struct layout);
    struct layout at;
    size_t begin;

    memcpy(&at, written->data, sizeof at);
    begin = piece ? at.end[piece - 1] : 0;
    return (struct slice){text + begin, at.end[piece] - begin};
}

/* Parts the JSON text of an object around the number that is its member 'key'; null: behind it. */
static bool
part(struct slice json, const char *key, struct slice *head, struct slice *tail)
{
    struct json_value value;

    if (!key) {
        *head = json;
        *tail = (struct slice){json.data + json.len, 0};
        return true;
    }
    if (!json_slice_member(json, key, &value) ||
        (value.kind != KIND_REAL && value.kind != KIND_INTEGER)) {
        return false;
    }
    *head = (struct slice){json.data, (size_t)(value.raw.data - json.data)};
    *tail = (struct slice){value.raw.data + value.raw.len, json.len - head->len - value.raw.len};
    return true;
}

/* Adds JSON text as it stands within a JSON string. */
static void
add_escaped(struct buf *out, struct slice json)
{
    size_t start = out->len;

    buf_add_json(out, json);
    if (!out->failed) { /* Without its quotes. */
        out->len -= 2;
        memmove(out->data + start, out->data + start + 1, out->len - start);
    }
}

static void
add_blocks(struct buf *out, const struct tool *tool, const json_t *result)
{
    json_t *blocks = json_must(json_array());
    const json_t *block;
    size_t i;

    if (tool->add_blocks) {
        tool->add_blocks(result, blocks);
    }
    json_array_foreach(blocks, i, block) {
        buf_addc(out, ',');
        json_write(out, block);
    }
    json_decref(blocks);
}

struct bytes *
at_hand_write(const struct tool *tool, const json_t *result, const char *number)
{
    struct buf json = BUF_INIT, out = BUF_INIT;
    struct layout at = {{0}};
    struct slice head, tail;
    struct bytes *written = NULL;

    json_write(&json, result);
    buf_add(&out, &at, sizeof at);
    if (!json.failed && part(buf_slice(&json), number, &head, &tail)) {
        add_escaped(&out, head);
        at.end[TEXT_HEAD] = out.len - sizeof at;
        add_escaped(&out, tail);
        at.end[TEXT_TAIL] = out.len - sizeof at;
        buf_add_slice(&out, head);
        at.end[JSON_HEAD] = out.len - sizeof at;
        buf_add_slice(&out, tail);
        at.end[JSON_TAIL] = out.len - sizeof at;
        add_blocks(&out, tool, result);
        at.end[BLOCKS] = out.len - sizeof at;
        if (!out.failed) {
            memcpy(out.data, &at, sizeof at);
            written = bytes_new(out.data, out.len);
        }
    }
    buf_fini(&json);
    buf_fini(&out);
    return written;
}

bool
at_hand_find(struct request *req)
{
    const struct json_value *value = &req->message.param[RPC_PARAM_ARGUMENTS];

    if (value->kind == KIND_OBJECT && value->raw.len <= AT_HAND_ARGUMENTS_MAX) {
        req->at_hand = req->tool->at_hand(req, value->raw);
    }
    return req->at_hand != NULL;
}

bool
at_hand_read(struct slice arguments, const struct at_hand_argument *known, size_t count,
             void *asked)
{
    bool seen[AT_HAND_KNOWN_MAX] = {false};
    struct json_value value;
    struct json_iter it;
    struct slice name;
    bool plain = json_iter_init(&it, arguments);

    assert(count <= AT_HAND_KNOWN_MAX);
    while (plain && json_iter_next(&it, &name, &value)) {
        size_t i = 0;

        while (i < count && !slice_is(name, known[i].name)) {
            i++;
        }
        plain = i < count && !seen[i] && known[i].read(value.raw, asked);
        if (plain) {
            seen[i] = true;
        }
    }
    for (size_t i = 0; i < count; i++) {
        plain = plain && (seen[i] || !known[i].needed);
    }
    return plain && !it.broken;
}

bool
at_hand_number(struct slice raw, int *number)
{
    int64_t value;

    if (!json_slice_int(raw, &value) || value < 0 || value >= 100000) {
        return false;
    }
    *number = (int)value;
    return true;
}

/* The number of an answer that has one: the milliseconds that it took, with three decimals. */
static struct slice
number_of(const struct request *req, char *room, size_t size)
{
    struct buf out = {.data = room, .size = size}; /* Never grows. */
    int64_t us;

    if (piece_of(req->at_hand, JSON_TAIL).len) {
        us = (clock_mono(req->dispatcher->clock) - req->started_ns + 500) / 1000;
        buf_add_int(&out, us / 1000);
        buf_addc(&out, '.');
        for (int64_t unit = 100, rest = us % 1000; unit; rest %= unit, unit /= 10) {
            buf_addc(&out, (char)('0' + rest / unit));
        }
    }
    return buf_slice(&out);
}

void
at_hand_add(struct request *req)
{
    bool structured = era_knows(req, REVISION_2025_06_18);
    struct buf *out = &req->out;
    char number[32];
    struct slice told = number_of(req, number, sizeof number);

    buf_reserve(out, req->at_hand->len + sizeof number);
    request_member(req, "content");
    buf_adds(out, "[{\"type\":\"text\",\"text\":\"");
    buf_add_slice(out, piece_of(req->at_hand, TEXT_HEAD));
    buf_add_slice(out, told);
    buf_add_slice(out, piece_of(req->at_hand, TEXT_TAIL));
    buf_adds(out, "\"}");
    if (structured) {
        buf_add_slice(out, piece_of(req->at_hand, BLOCKS));
    }
    buf_addc(out, ']');
    if (structured) {
        request_member(req, "structuredContent");
        buf_add_slice(out, piece_of(req->at_hand, JSON_HEAD));
        buf_add_slice(out, told);
        buf_add_slice(out, piece_of(req->at_hand, JSON_TAIL));
    }
}
