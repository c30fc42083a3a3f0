/* markdown_lines_fence.c -- fences, and where they end.
 *
 * A fence looks ahead for its end once and marks everything up to it.  Nested fences are a habit of
 * agents that show a Markdown file inside a Markdown file; CommonMark would end the outer fence at
 * the inner one's end and open a new one at the outer one's, hiding the rest of the list.  If the
 * nested reading does not come out even, the plain one is taken, from there on for the whole text,
 * which keeps the work linear. */
#include "state/markdown_lines_private.h"

#define FENCE_DEPTH 8u

struct mdl_fence
mdl_fence_of(struct slice text)
{
    struct mdl_fence fence = {.mark = 0};
    size_t len;

    if (text.len < 3 || (text.data[0] != '`' && text.data[0] != '~')) {
        return fence;
    }
    len = mdl_run_of(text, text.data[0]);
    fence.info = mdl_trim((struct slice){text.data + len, text.len - len});
    if (len < 3 || (text.data[0] == '`' && fence.info.len > 0 &&
                    memchr(fence.info.data, '`', fence.info.len))) {
        return fence;
    }
    fence.mark = text.data[0];
    fence.len = len;
    return fence;
}

static bool
is_markdown(struct slice info)
{
    size_t word = 0;

    while (word < info.len && info.data[word] != ' ' && info.data[word] != '{') {
        word++;
    }
    info.len = word;
    return slice_is(info, "markdown") || slice_is(info, "md") || slice_is(info, "mdx");
}

/* The line that ends the fence opened on line 'at', whose list item's text begins at column
 * 'floor': a closing fence, or the line before the item ends, or the last one.  '*closed' tells the
 * first.  With 'nested', fences inside fences of kind markdown count. */
static size_t
fence_end(const struct mdl_scan *s, size_t at, struct mdl_fence open, unsigned floor, bool nested,
          bool *closed)
{
    bool markdown[FENCE_DEPTH] = {nested && is_markdown(open.info)};
    size_t depth = 1;

    *closed = false;
    for (size_t i = at + 1; i < s->count; i++) {
        struct slice rest;
        unsigned short indent = mdl_indent_of(s->lines[i].raw, &rest);
        struct mdl_fence fence;

        if (rest.len == 0) {
            continue;
        }
        if (indent < floor) {
            return i - 1;
        }
        fence = mdl_fence_of(rest);
        if (fence.mark != open.mark || fence.len < open.len) {
            continue;
        }
        if (fence.info.len > 0) {
            if (markdown[depth - 1] && depth < FENCE_DEPTH) {
                markdown[depth++] = is_markdown(fence.info);
            }
        } else if (--depth == 0) {
            *closed = true;
            return i;
        }
    }
    return s->count - 1;
}

size_t
mdl_take_fence(struct mdl_scan *s, size_t at, struct mdl_fence open, unsigned floor)
{
    bool closed = false;
    size_t end = at;

    if (!s->flat && is_markdown(open.info)) {
        end = fence_end(s, at, open, floor, true, &closed);
        s->flat = !closed;
    }
    if (!closed) {
        end = fence_end(s, at, open, floor, false, &closed);
    }
    s->lines[at].kind = MDL_FENCE;
    s->lines[at].text = open.info;
    for (size_t i = at + 1; i <= end; i++) {
        s->lines[i].kind = MDL_CODE;
    }
    if (closed) {
        s->lines[end].kind = MDL_FENCE_END;
    } else if (end + 1 == s->count) {
        s->unclosed = s->lines[at].number;
    }
    return end;
}
