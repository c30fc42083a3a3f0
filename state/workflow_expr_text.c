/* workflow_expr_text.c -- values as text, the way Python's str() and repr() write them.  See
 * workflow_expr_private.h. */
#include "state/workflow_expr_private.h"

#include "state/base/rune.h"

#include <math.h>
#include <stdio.h>

#define TEXT_DEPTH_MAX 100u

static void add_repr(struct machine *m, struct buf *b, struct value v, unsigned depth);

/* The shortest decimal text that reads back as 'd'. */
static void
add_float(struct buf *b, double d)
{
    char text[40];
    int digits = 1;
    long exponent;

    if (isnan(d) || isinf(d)) {
        buf_adds(b, isnan(d) ? "nan" : d > 0 ? "inf" : "-inf");
        return;
    }
    for (;; digits++) {
        snprintf(text, sizeof text, "%.*e", digits - 1, d);
        if (digits == 17 || strtod(text, NULL) == d) {
            break;
        }
    }
    exponent = strtol(strchr(text, 'e') + 1, NULL, 10);
    if (exponent < -4 || exponent >= 16) {
        buf_adds(b, text);
    } else {
        long places = digits - 1 - exponent;
        buf_addf(b, "%.*f", places > 0 ? (int)places : 1, d);
    }
}

/* A text in quotes, with what cannot be seen as escapes. */
static void
add_quoted(struct buf *b, struct slice text)
{
    bool single = text.len && memchr(text.data, '\'', text.len);
    bool both = single && memchr(text.data, '"', text.len);
    char quote = single && !both ? '"' : '\'';

    buf_addc(b, quote);
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c == '\n' || c == '\r' || c == '\t') {
            buf_adds(b, c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t");
        } else if (c < 0x20 || c == 0x7F) {
            buf_addf(b, "\\x%02x", c);
        } else {
            if (c == '\\' || c == (unsigned char)quote) {
                buf_addc(b, '\\');
            }
            buf_addc(b, (char)c);
        }
    }
    buf_addc(b, quote);
}

static void
add_items(struct machine *m, struct buf *b, struct value v, unsigned depth)
{
    bool tuple = v.type == V_TUPLE;

    buf_addc(b, tuple ? '(' : '[');
    for (size_t i = 0; i < v.as.items->count && !m->err; i++) {
        buf_adds(b, i ? ", " : "");
        add_repr(m, b, v.as.items->at[i], depth + 1);
    }
    buf_adds(b, tuple ? v.as.items->count == 1 ? ",)" : ")" : "]");
}

static void
add_table(struct machine *m, struct buf *b, struct value v, unsigned depth)
{
    if (v.type == V_SET && v.as.table->count == 0) {
        buf_adds(b, "set()");
        return;
    }
    buf_addc(b, '{');
    for (size_t i = 0; i < v.as.table->count && !m->err; i++) {
        buf_adds(b, i ? ", " : "");
        add_repr(m, b, v.as.table->entries[i].key, depth + 1);
        if (v.type == V_DICT) {
            buf_adds(b, ": ");
            add_repr(m, b, v.as.table->entries[i].value, depth + 1);
        }
    }
    buf_addc(b, '}');
}

static void
add_repr(struct machine *m, struct buf *b, struct value v, unsigned depth)
{
    if (depth > TEXT_DEPTH_MAX) {
        expr_raise(m, "values nested too deep");
    }
    if (!expr_spend(m, 1)) {
        return;
    }
    switch (v.type) {
    case V_NONE:
        buf_adds(b, "None");
        break;
    case V_BOOL:
        buf_adds(b, v.as.truth ? "True" : "False");
        break;
    case V_INT:
        buf_add_int(b, v.as.integer);
        break;
    case V_FLOAT:
        add_float(b, v.as.number);
        break;
    case V_STR:
        expr_spend(m, v.as.text.len / 16);
        add_quoted(b, v.as.text);
        break;
    case V_LIST:
    case V_TUPLE:
        add_items(m, b, v, depth);
        break;
    case V_SET:
    case V_DICT:
        add_table(m, b, v, depth);
        break;
    default:
        expr_raise(m, "%s has no text", expr_value_type_name(v.type));
    }
}

struct value
expr_value_text(struct machine *m, struct value v)
{
    struct buf b = {.limit = m->budget->memory};
    char *text;

    if (v.type == V_STR) {
        return v;
    }
    add_repr(m, &b, v, 0);
    text = b.failed ? NULL : expr_grab(m, b.len, 1);
    if (b.failed) {
        expr_no_room(m, b.full, "the text is too long");
    }
    if (text && b.len) {
        memcpy(text, b.data, b.len);
    }
    v = text ? TEXT(((struct slice){text, b.len})) : NONE;
    buf_fini(&b);
    return v;
}
