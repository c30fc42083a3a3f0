/* json_bounded.c -- counts what a text may hold, then has it parsed. */
#include "state/json_bounded.h"

/* Where the string that begins at 'at' ends: its closing quote, or the end of the text. */
static size_t
string_end(struct slice text, size_t at)
{
    for (at++; at < text.len && text.data[at] != '"'; at++) {
        at += text.data[at] == '\\';
    }
    return at;
}

/* No value begins without one of these bytes before it, but the first. */
bool
json_bounds_hold(struct slice text, const struct json_bounds *bounds)
{
    unsigned depth = 0, values = 1;

    for (size_t i = 0; i < text.len; i++) {
        switch (text.data[i]) {
        case '"':
            i = string_end(text, i);
            break;
        case '{':
        case '[':
            values++;
            if (++depth > bounds->depth) {
                return false;
            }
            break;
        case '}':
        case ']':
            depth -= depth > 0;
            break;
        case ',':
            values++;
            break;
        default:
            break;
        }
        if (values > bounds->values) {
            return false;
        }
    }
    return true;
}

json_t *
json_load_bounded(struct slice text, const struct json_bounds *bounds)
{
    return text.len && json_bounds_hold(text, bounds)
               ? json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, NULL)
               : NULL;
}
