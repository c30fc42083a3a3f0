/* err.c -- the error table as data, and the filling of a fault. */
#include "state/base/err.h"

#include "state/base/mem.h"

#include <assert.h>

static const struct err_info infos[ERR_COUNT] = {
#define ROW(NAME, RPC, HTTP, TOLD, CODE, TYPE) \
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

/* What fault_set() last said on this thread, so that fault_remedy() returns it to a caller who
 * wants no text. */
static _Thread_local enum err last_code;

static void fill(struct fault *f, enum err code, unsigned line, unsigned column, const char *format,
                 va_list args) __attribute__((format(printf, 5, 0)));

static void
fill(struct fault *f, enum err code, unsigned line, unsigned column, const char *format,
     va_list args)
{
    last_code = code;
    if (f) {
        f->code = code;
        f->line = line;
        f->column = column;
        f->retry_s = 0;
        f->reason = NULL;
        f->remedy[0] = '\0';
        text_format(f->text, sizeof f->text, format, args);
    }
}

enum err
fault_set(struct fault *f, enum err code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fill(f, code, 0, 0, format, args);
    va_end(args);
    return code;
}

enum err
fault_at(struct fault *f, enum err code, unsigned line, unsigned column, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fill(f, code, line, column, format, args);
    va_end(args);
    return code;
}

enum err
fault_remedy(struct fault *f, const char *format, ...)
{
    va_list args;

    if (!f) {
        return last_code;
    }
    va_start(args, format);
    text_format(f->remedy, sizeof f->remedy, format, args);
    va_end(args);
    return f->code;
}

const char *
fault_next_step(const struct fault *f)
{
    if (f->remedy[0]) {
        return f->remedy;
    }
    switch (f->code) {
    case E_OVERLOAD:
        return "wait a moment, then do it again";
    case E_IO:
        return "see that the disk has room and the data folder can be written, then do it again";
    case E_INTERNAL:
        return "do it again; if that fails too, the server's standard error says more";
    default:
        return "";
    }
}

void
fault_write(struct buf *out, const struct fault *f)
{
    const struct err_info *info = err_info(f->code);
    const char *next = fault_next_step(f);

    buf_adds(out, "{\"code\":");
    buf_add_json(out, slice_of(info->code));
    buf_adds(out, ",\"message\":");
    buf_add_json(out, slice_of(f->text));
    buf_addf(out, ",\"retryable\":%s",
             info->http_status == 429 || info->http_status >= 500 ? "true" : "false");
    if (*next) {
        buf_adds(out, ",\"remedy\":");
        buf_add_json(out, slice_of(next));
    }
    if (f->reason || f->retry_s) {
        buf_adds(out, ",\"details\":{");
        if (f->reason) {
            buf_addf(out, "\"reason\":\"%s\"%s", f->reason, f->retry_s ? "," : "");
        }
        if (f->retry_s) {
            buf_addf(out, "\"retry_after\":%u", f->retry_s);
        }
        buf_addc(out, '}');
    }
    buf_addc(out, '}');
}
