/* json_tree.c -- from bytes to a tree.
 *
 * DESIGN.  The scanner walks, this hangs up what it finds.  jansson's own reader takes a text
 * character by character through a callback, each into a growing string: 64 KiB took it 700 us, and
 * take 19 here, 11 where a scan has looked at them before; {} took it 1 us, and takes 0.1.  It
 * recurses as deep as a scan goes. */
#include "handlers/json_tree.h"

#include "handlers/json_slice.h"

struct builder {
    struct json_scan scan;
    bool again;      /* A scan has let the text pass. */
    struct buf text; /* The string that is being read, unescaped. */
    struct json_tree_flaw *flaw;
};

static json_t *build(struct builder *b);

static json_t *
refuse(struct builder *b, const char *why, const char *at)
{
    *b->flaw = (struct json_tree_flaw){.text = why,
                                       .at = (size_t)((const unsigned char *)at - b->scan.start)};
    return NULL;
}

/* Drops 'value', for which there was no memory, or not for all of it. */
static json_t *
starve(struct builder *b, json_t *value)
{
    *b->flaw = (struct json_tree_flaw){.text = "there is no memory for it now", .memory = true};
    json_decref(value);
    return NULL;
}

/* The scan has found a hard flaw. */
static json_t *
refuse_text(struct builder *b)
{
    return refuse(b, json_scan_flaw_text(b->scan.flaw), (const char *)b->scan.flaw_at);
}

/* What 'text' says; borrowed from it or from 'room'. */
static struct slice
unescape(const struct json_text *text, struct buf *room)
{
    if (!text->escaped) {
        return text->raw;
    }
    buf_reset(room);
    buf_reserve(room, text->raw.len);
    json_text_add(text, room);
    return room->data ? buf_slice(room) : SLICE("");
}

/* Reads the string that comes next; false, with the flaw, if it is none. */
static bool
read_string(struct builder *b, struct slice *said)
{
    struct json_text text;

    if (b->again && json_string_again(&b->scan, &b->text, said)) {
        return true;
    }
    if (b->text.failed) {
        starve(b, NULL);
        return false;
    }
    if (!json_scan_string(&b->scan, &text)) {
        refuse_text(b);
        return false;
    }
    *said = unescape(&text, &b->text);
    return true;
}

static json_t *
build_string(struct builder *b)
{
    const char *begin;
    struct slice said;
    json_t *string;

    json_scan_peek(&b->scan);
    begin = (const char *)b->scan.p + 1;
    if (!read_string(b, &said)) {
        return NULL;
    }
    if (memchr(said.data, '\0', said.len)) {
        refuse(b, "it holds the character U+0000", begin);
        b->flaw->nul = true;
        return NULL;
    }
    string = b->text.failed ? NULL : json_stringn_nocheck(said.data, said.len);
    return string ? string : starve(b, NULL);
}

/* A number or a word. */
static json_t *
build_scalar(struct builder *b)
{
    struct json_value value;
    json_int_t integer;
    int64_t number;
    json_t *scalar = NULL;

    if (!json_scan_value(&b->scan, &value)) {
        return refuse_text(b);
    }
    switch (value.kind) {
    case KIND_INTEGER:
        if (!json_slice_int(value.raw, &number)) {
            return refuse(b, "an integer is too large", value.raw.data);
        }
        integer = number;
        scalar = json_integer(integer);
        break;
    case KIND_REAL: /* As rare as they are hard to read. */
        scalar = json_loadb(value.raw.data, value.raw.len, JSON_DECODE_ANY, NULL);
        if (!scalar) {
            return refuse(b, "a number is out of range", value.raw.data);
        }
        break;
    case KIND_TRUE:
        return json_true();
    case KIND_FALSE:
        return json_false();
    default:
        return json_null();
    }
    return scalar ? scalar : starve(b, NULL);
}

/* Reads the value of the member 'name' and hangs it up. */
static bool
build_member(struct builder *b, json_t *object, const struct json_text *name)
{
    struct buf room = BUF_INIT; /* Not the builder's: the value needs that. */
    struct slice key = unescape(name, &room);
    size_t before = json_object_size(object);
    json_t *value =
        name->nul ? refuse(b, "a name holds the character U+0000", name->raw.data) : build(b);
    bool built = value != NULL;

    if (built && (room.failed || json_object_setn_new_nocheck(object, key.data, key.len, value))) {
        starve(b, room.failed ? value : NULL);
        built = false;
    } else if (built && json_object_size(object) == before) {
        refuse(b, "an object has a name twice", name->raw.data);
        built = false;
    }
    buf_fini(&room);
    return built;
}

static json_t *
build_object(struct builder *b)
{
    json_t *object = json_object();
    struct json_text name;
    enum json_step step;

    if (!object) {
        return starve(b, NULL);
    }
    if (!json_scan_enter(&b->scan)) {
        json_decref(object);
        return refuse_text(b);
    }
    for (bool first = true; (step = json_scan_member(&b->scan, &name, first)) == STEP_VALUE;
         first = false) {
        if (!build_member(b, object, &name)) {
            json_decref(object);
            return NULL;
        }
    }
    if (step == STEP_BROKEN) {
        json_decref(object);
        return refuse_text(b);
    }
    return object;
}

static json_t *
build_array(struct builder *b)
{
    json_t *array = json_array();
    enum json_step step;

    if (!array) {
        return starve(b, NULL);
    }
    if (!json_scan_enter(&b->scan)) {
        json_decref(array);
        return refuse_text(b);
    }
    for (bool first = true; (step = json_scan_element(&b->scan, first)) == STEP_VALUE;
         first = false) {
        json_t *value = build(b);

        if (!value) {
            json_decref(array);
            return NULL;
        }
        if (json_array_append_new(array, value) != 0) {
            return starve(b, array);
        }
    }
    if (step == STEP_BROKEN) {
        json_decref(array);
        return refuse_text(b);
    }
    return array;
}

static json_t *
build(struct builder *b)
{
    switch (json_scan_peek(&b->scan)) {
    case '{':
        return build_object(b);
    case '[':
        return build_array(b);
    case '"':
        return build_string(b);
    default:
        return build_scalar(b);
    }
}

static json_t *
build_all(struct slice text, bool again, struct json_tree_flaw *flaw)
{
    static const struct json_limits widest = {JSON_DEPTH_TOP, JSON_VALUES_TOP};
    struct builder b = {.again = again, .flaw = flaw};
    json_t *tree;

    json_scan_init(&b.scan, text, &widest);
    tree = build(&b);
    if (tree && (!json_scan_end(&b.scan) || b.scan.flaw)) {
        json_decref(tree);
        tree = refuse_text(&b);
    }
    buf_fini(&b.text);
    return tree;
}

json_t *
json_tree(struct slice text, struct json_tree_flaw *flaw)
{
    return build_all(text, false, flaw);
}

json_t *
json_tree_again(struct slice text, struct json_tree_flaw *flaw)
{
    return build_all(text, true, flaw);
}
