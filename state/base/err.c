/* err.c -- the error table as data, and the filling of a fault. */
#include "state/base/err.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const struct err_info infos[ERR_COUNT] = {
#define ROW(NAME, RPC, HTTP, TOLD, CODE, TYPE)                                                     \
    [E_##NAME] = {#NAME, RPC, HTTP, ERR_TOLD_##TOLD, CODE, TYPE},
    ERRORS(ROW)
#undef ROW
};

const struct err_info *
err_info(enum err err)
{
    assert(err > E_OK && err < ERR_COUNT);
    return &infos[err];
}

/* Formats into 'out', cutting at a whole UTF-8 character. */
static void __attribute__((format(printf, 3, 0)))
format_cut(char *out, size_t size, const char *format, va_list args)
{
    int n = vsnprintf(out, size, format, args);

    if (n >= 0 && (size_t)n >= size) {
        size_t end = size - 1;
        while (end > 0 && ((unsigned char)out[end - 1] & 0xC0) == 0x80) {
            end--;
        }
        if (end > 0 && ((unsigned char)out[end - 1] & 0x80) != 0) {
            end--;
        }
        out[end] = '\0';
    }
}

enum err
fault_set(struct fault *f, enum err code, const char *format, ...)
{
    if (f) {
        va_list args;

        f->code = code;
        f->line = f->column = 0;
        f->remedy[0] = '\0';
        va_start(args, format);
        format_cut(f->text, sizeof f->text, format, args);
        va_end(args);
    }
    return code;
}

enum err
fault_at(struct fault *f, enum err code, unsigned line, unsigned column, const char *format, ...)
{
    if (f) {
        va_list args;

        f->code = code;
        f->line = line;
        f->column = column;
        f->remedy[0] = '\0';
        va_start(args, format);
        format_cut(f->text, sizeof f->text, format, args);
        va_end(args);
    }
    return code;
}

enum err
fault_remedy(struct fault *f, const char *format, ...)
{
    va_list args;

    if (!f) {
        return E_INTERNAL;
    }
    va_start(args, format);
    format_cut(f->remedy, sizeof f->remedy, format, args);
    va_end(args);
    return f->code;
}
