/* report.c -- see report.h. */
#include "server/report.h"

#include "state/base/log.h"

#include <string.h>

void
report_fault(FILE *to, const struct fault *f)
{
    const char *mark = to == stderr ? log_mark(LOG_ERROR) : "";

    fprintf(to, "%standem: %s", mark, f->text);
    if (f->line) {
        fprintf(to, " (line %u, column %u)", f->line, f->column);
    }
    fputc('\n', to);
    if (*fault_next_step(f) && *mark) { /* The journal takes each line by itself. */
        fprintf(to, "%s  %s\n", mark, fault_next_step(f));
    } else if (*fault_next_step(f)) {
        fputs("  ", to);
        report_wrapped(to, 2, 2, fault_next_step(f));
    }
}

void
report_problems(FILE *to, const char *folder, const struct problems *problems)
{
    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *p = &problems->items[i];

        if (to == stderr) {
            fputs(log_mark(p->severity == PROBLEM_ERROR ? LOG_ERROR : LOG_WARN), to);
        }
        fprintf(to, "%s%s%s", folder, *folder && p->file[0] ? "/" : "",
                *folder || p->file[0] ? p->file : "tandem");
        if (p->line) {
            fprintf(to, ":%u", p->line);
            if (p->column) {
                fprintf(to, ":%u", p->column);
            }
        }
        fprintf(to, ": %s: %s\n", p->severity == PROBLEM_ERROR ? "error" : "warning", p->text);
    }
    if (problems->left_out) {
        fprintf(to, "tandem: %zu more problems are not listed\n", problems->left_out);
    }
}

void
report_wrapped(FILE *to, unsigned at, unsigned indent, const char *text)
{
    while (*text) {
        size_t word = strcspn(text, " \n");
        unsigned columns = 0;

        for (size_t i = 0; i < word; i++) {
            columns += ((unsigned char)text[i] & 0xC0) != 0x80;
        }
        if (at > indent && at + columns > REPORT_WIDTH) {
            fprintf(to, "\n%*s", (int)indent, "");
            at = indent;
        }
        fwrite(text, 1, word, to);
        at += columns;
        text += word;
        if (*text == '\n') {
            fprintf(to, "\n%*s", (int)indent, "");
            at = indent;
            text++;
        } else if (*text == ' ') {
            text++;
            if (*text && at + 1 + strcspn(text, " \n") <= REPORT_WIDTH) {
                fputc(' ', to);
                at++;
            } else if (*text) {
                at = REPORT_WIDTH + 1; /* The next word begins a line. */
            }
        }
    }
    fputc('\n', to);
}
