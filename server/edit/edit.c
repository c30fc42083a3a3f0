/* edit.c -- see edit.h. */
#include "server/edit/edit.h"

void
edit_position(struct slice text, size_t at, unsigned *line, unsigned *column)
{
    *line = *column = 1;
    for (size_t i = 0; i < at && i < text.len; i++) {
        if (text.data[i] == '\n') {
            ++*line;
            *column = 1;
        } else if (((unsigned char)text.data[i] & 0xC0) != 0x80) {
            ++*column;
        }
    }
}

const char *
edit_newline(struct slice text)
{
    const char *newline = text.len ? memchr(text.data, '\n', text.len) : NULL;

    return newline && newline > text.data && newline[-1] == '\r' ? "\r\n" : "\n";
}

enum err
edit_end(const struct buf *out, struct fault *f)
{
    return out->failed ? fault_set(f, E_OVERLOAD, "there is no memory for the file") : E_OK;
}
