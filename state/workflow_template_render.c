/* workflow_template_render.c -- see workflow_template.h.  Here: filling a template.
 *
 * Steps and output are counted, for lists within lists can multiply. */
#include "state/workflow_template_private.h"

struct render {
    const struct wf_template *t;
    struct buf *out;
    size_t out_begin;
    struct problems *problems;
    const json_t *scopes[WF_TEMPLATE_DEPTH_MAX + 1]; /* Innermost last. */
    size_t depth;
    size_t steps;
    bool stopped;
};

static const json_t *
member(const json_t *object, struct slice name)
{
    return json_is_object(object) ? json_object_getn(object, name.data, name.len) : NULL;
}

/* Follows 'path', names with full stops between them, from 'value'. */
static const json_t *
follow(const json_t *value, struct slice path)
{
    while (value && path.len > 0) {
        const char *dot = memchr(path.data, '.', path.len);
        size_t len = dot ? (size_t)(dot - path.data) : path.len;

        value = member(value, (struct slice){path.data, len});
        len += dot != NULL;
        path = (struct slice){path.data + len, path.len - len};
    }
    return value;
}

static const json_t *
look_up(const struct render *r, struct slice name)
{
    if (slice_is(name, "this")) {
        return r->scopes[r->depth];
    }
    if (name.len > 5 && memcmp(name.data, "this.", 5) == 0) {
        return follow(r->scopes[r->depth], (struct slice){name.data + 5, name.len - 5});
    }
    for (size_t i = r->depth + 1; i-- > 0;) {
        const json_t *value = follow(r->scopes[i], name);

        if (value) {
            return value;
        }
    }
    return NULL;
}

static void
add_list(struct buf *out, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        const json_t *text = json_is_object(item) ? json_object_get(item, "text") : item;

        if (json_is_string(text)) {
            buf_adds(out, i > 0 ? "\n- [" : "- [");
            buf_addc(out, json_is_true(json_object_get(item, "done")) ? 'x' : ' ');
            buf_adds(out, "] ");
            buf_add(out, json_string_value(text), json_string_length(text));
        }
    }
}

static void
add_value(struct buf *out, const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_STRING:
        buf_add(out, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
        buf_add_int(out, json_integer_value(value));
        break;
    case JSON_REAL:
        buf_addf(out, "%g", json_real_value(value));
        break;
    case JSON_TRUE:
        buf_adds(out, "true");
        break;
    case JSON_FALSE:
        buf_adds(out, "false");
        break;
    case JSON_ARRAY:
        add_list(out, value);
        break;
    default:
        break;
    }
}

static bool
holds_true(const json_t *value)
{
    switch (value ? json_typeof(value) : JSON_NULL) {
    case JSON_STRING:
        return json_string_length(value) > 0;
    case JSON_INTEGER:
        return json_integer_value(value) != 0;
    case JSON_REAL:
        return json_real_value(value) != 0;
    case JSON_ARRAY:
        return json_array_size(value) > 0;
    case JSON_TRUE:
    case JSON_OBJECT:
        return true;
    default:
        return false;
    }
}

static void
warn_unknown(struct render *r, const struct piece *piece)
{
    char *text = xasprintf("nothing is known of {{%.*s}}: left empty", (int)piece->name.len,
                           piece->name.data);

    for (size_t i = 0; r->problems && i < r->problems->count; i++) {
        if (strcmp(r->problems->items[i].text, text) == 0) {
            free(text);
            return;
        }
    }
    problems_add(r->problems, PROBLEM_WARNING, r->t->file, piece->line, 0, "%s", text);
    free(text);
}

static void render_range(struct render *r, size_t at, size_t end);

static void
render_each(struct render *r, const struct piece *piece, size_t self)
{
    const json_t *list = look_up(r, piece->name);

    if (!list) {
        warn_unknown(r, piece);
    }
    if (json_array_size(list) == 0) {
        if (piece->other != piece->end) {
            render_range(r, piece->other + 1, piece->end);
        }
        return;
    }
    r->depth++;
    for (size_t i = 0; i < json_array_size(list) && !r->stopped; i++) {
        r->scopes[r->depth] = json_array_get(list, i);
        render_range(r, self + 1, piece->other);
    }
    r->depth--;
}

static void
render_if(struct render *r, const struct piece *piece, size_t self)
{
    if (holds_true(look_up(r, piece->name))) {
        render_range(r, self + 1, piece->other);
    } else if (piece->other != piece->end) {
        render_range(r, piece->other + 1, piece->end);
    }
}

static void
render_name(struct render *r, const struct piece *piece)
{
    const json_t *value = look_up(r, piece->name);

    if (value) {
        add_value(r->out, value);
    } else if (piece->kind == PIECE_BRACKET) {
        buf_add_slice(r->out, piece->text);
    } else {
        warn_unknown(r, piece);
    }
}

/* Renders the pieces [at, end).  Recurses as deep as blocks are nested, which is bounded. */
static void
render_range(struct render *r, size_t at, size_t end)
{
    while (at < end && !r->stopped) {
        const struct piece *piece = &r->t->pieces[at];

        switch (piece->kind) {
        case PIECE_TEXT:
            buf_add_slice(r->out, piece->text);
            break;
        case PIECE_BRACKET:
        case PIECE_NAME:
            render_name(r, piece);
            break;
        case PIECE_EACH:
            render_each(r, piece, at);
            at = piece->end;
            break;
        case PIECE_IF:
            render_if(r, piece, at);
            at = piece->end;
            break;
        default:
            break;
        }
        at++;
        r->stopped = ++r->steps > WF_TEMPLATE_STEPS_MAX || r->out->failed ||
                     r->out->len - r->out_begin > WF_TEMPLATE_OUT_MAX;
    }
    /* An iteration over nothing is work too. */
    r->stopped = r->stopped || ++r->steps > WF_TEMPLATE_STEPS_MAX;
}

enum err
wf_template_render(const struct wf_template *t, const json_t *values, struct buf *out,
                   struct problems *problems, struct fault *f)
{
    struct render r = {
        .t = t, .out = out, .out_begin = out->len, .problems = problems, .scopes = {values}};

    render_range(&r, 0, t->count);
    if (out->failed) {
        return fault_set(f, E_OVERLOAD, "no memory to fill template %s", t->file);
    }
    if (r.stopped) {
        return fault_set(f, E_TOO_LARGE,
                         "template %s makes a text over %u bytes, or takes too long", t->file,
                         WF_TEMPLATE_OUT_MAX);
    }
    return E_OK;
}
