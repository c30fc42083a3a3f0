/* problems.c -- a bounded list of problems found in a file. */
#include "state/base/problems.h"

#include "state/base/mem.h"

#include <stdarg.h>

void
problems_fini(struct problems *p)
{
    for (size_t i = 0; i < p->count; i++) {
        free(p->items[i].file);
        free(p->items[i].text);
    }
    free(p->items);
    *p = (struct problems)PROBLEMS_INIT;
}

void
problems_add(struct problems *p, enum problem_severity severity, const char *file, unsigned line,
             unsigned column, const char *format, ...)
{
    char text[512];
    va_list args;

    if (!p) {
        return;
    }
    if (severity == PROBLEM_ERROR) {
        p->errors++;
    }
    if (p->count == PROBLEMS_MAX) {
        p->left_out++;
        return;
    }
    va_start(args, format);
    text_format(text, sizeof text, format, args);
    va_end(args);
    p->items = xrealloc(p->items, (p->count + 1) * sizeof *p->items);
    p->items[p->count++] = (struct problem){.severity = severity,
                                            .file = xstrdup(file ? file : ""),
                                            .line = line,
                                            .column = column,
                                            .text = xstrdup(text)};
}
