/* report_write.c -- the README's table, and the chart. */
#include "tests/bench/load.h"
#include "tests/bench/report_private.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

static FILE *
open_file(const char *path)
{
    FILE *file = fopen(path, "we");

    if (!file) {
        bench_fail("%s: %s", path, strerror(errno));
    }
    return file;
}

static void
close_file(FILE *file, const char *path)
{
    if (ferror(file) || fclose(file) != 0) {
        bench_fail("%s: it could not be written", path);
    }
}

/* ---- Table ---- */

/* With as many digits as tell something. */
static void
put_us(FILE *file, double us)
{
    if (us >= 10000) {
        fprintf(file, "%.1f ms", us / 1000);
    } else {
        fprintf(file, "%.*f µs", us < 10 ? 2 : us < 100 ? 1 : 0, us);
    }
}

/* With commas between thousands. */
static void
put_rate(FILE *file, double rate)
{
    unsigned long n = (unsigned long)(rate + 0.5);

    if (n >= 1000000) {
        fprintf(file, "%lu,%03lu,%03lu/s", n / 1000000, n / 1000 % 1000, n % 1000);
    } else if (n >= 1000) {
        fprintf(file, "%lu,%03lu/s", n / 1000, n % 1000);
    } else {
        fprintf(file, "%lu/s", n);
    }
}

static void
put_entrant(FILE *file, const double figures[FIGURES])
{
    put_us(file, figures[FIGURE_CPU]);
    if (figures[FIGURE_RATE] > 0) {
        fputs(", ", file);
        put_rate(file, figures[FIGURE_RATE]);
    } else {
        fputs(" of CPU, answers after ", file);
        put_us(file, figures[FIGURE_P50]);
    }
}

static void
put_verdicts(FILE *file, const struct told *t)
{
    for (size_t i = 0; i < t->verdict_count; i++) {
        fprintf(file, "%s%s: %s", i ? "<br>" : "", t->verdicts[i].text,
                t->verdicts[i].met ? "met" : "**missed**");
    }
}

static void
put_row(FILE *file, const struct told *t)
{
    fprintf(file, "| %s | ", t->workload);
    if (t->single) {
        fprintf(file, "%s | %s", t->single, t->beside);
    } else {
        put_entrant(file, t->figures[0]);
        fputs(" | ", file);
    }
    for (size_t i = 1; i < t->count; i++) {
        fprintf(file, "%s%s ", i > 1 ? "<br>" : "", t->names[i]);
        put_entrant(file, t->figures[i]);
    }
    fputs(" | ", file);
    put_verdicts(file, t);
    fputs(" |\n", file);
}

void
report_write_table(const struct report *r, const char *path)
{
    FILE *file = open_file(path);
    size_t met, count = report_verdicts(r, &met);

    fprintf(file,
            "%zu goals, %zu met, %zu missed. Measured on %s.\n\n"
            "| workload | tandem: CPU of the server a request, requests/s | beside it | goals |\n"
            "|---|---|---|---|\n",
            count, met, count - met, r->machine);
    for (size_t i = 0; i < r->count; i++) {
        put_row(file, &r->told[i]);
    }
    close_file(file, path);
}

/* ---- Chart ---- */

/* CPU time a request on a logarithmic scale: a group of bars for each workload that has peers. */
#define BAR 9
#define GAP 14
#define LEFT 250
#define TOP 64
#define WIDTH 900
#define LEAST_US 0.05
#define DECADES 5.0
#define DECADE ((WIDTH - LEFT - 90) / DECADES)

static double
bar_length(double us)
{
    double decades = log10(us / LEAST_US);

    return decades > 0 ? decades * DECADE : 0;
}

static bool
is_charted(const struct told *t)
{
    return t->count > 2 && t->figures[0][FIGURE_RATE] > 0;
}

static const char *
class_of(const char *name)
{
    return strcmp(name, "tandem") == 0            ? "t"
           : strncmp(name, "TypeScript", 10) == 0 ? "s"
           : strncmp(name, "bare", 4) == 0        ? "b"
                                                  : "n";
}

static void
put_group(FILE *file, const struct told *t, int y)
{
    fprintf(file, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n", LEFT - 8,
            y + (int)t->count * BAR / 2 + 4, t->workload);
    for (size_t i = 0; i < t->count; i++, y += BAR) {
        double us = t->figures[i][FIGURE_CPU], len = bar_length(us);

        fprintf(file,
                "<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>"
                "<text class=\"v\" x=\"%.1f\" y=\"%d\">%.*f</text>\n",
                class_of(t->names[i]), LEFT, y, len, BAR - 1, LEFT + len + 4, y + BAR - 2,
                us < 10    ? 2
                : us < 100 ? 1
                           : 0,
                us);
    }
}

static void
put_axis(FILE *file, int bottom)
{
    for (double us = 0.1; us < LEAST_US * pow(10, DECADES); us *= 10) {
        double x = LEFT + bar_length(us);

        fprintf(file,
                "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>"
                "<text class=\"v\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%g µs</text>\n",
                x, x, TOP - 8, bottom, x, TOP - 12, us);
    }
}

static void
put_legend(FILE *file)
{
    static const char *const entries[][2] = {{"t", "tandem"},
                                             {"n", "nginx, a fixed body"},
                                             {"b", "bare libuv, bare pipe"},
                                             {"s", "TypeScript SDK"}};
    int x = LEFT;

    for (size_t i = 0; i < 4; i++, x += 150) {
        fprintf(file,
                "<rect class=\"%s\" x=\"%d\" y=\"26\" width=\"10\" height=\"10\"/>"
                "<text x=\"%d\" y=\"35\">%s</text>\n",
                entries[i][0], x, x + 14, entries[i][1]);
    }
}

void
report_write_chart(const struct report *r, const char *path)
{
    FILE *file = open_file(path);
    int y = TOP, bottom = TOP;

    for (size_t i = 0; i < r->count; i++) {
        bottom += is_charted(&r->told[i]) ? (int)r->told[i].count * BAR + GAP : 0;
    }
    fprintf(file,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" role=\"img\">\n"
            "<title>CPU time of the server a request: tandem and its peers</title>\n"
            "<style>text{font:12px sans-serif;fill:#24292f}.v{font-size:9px}"
            "line{stroke:#8884}.t{fill:#2f81f7}.n{fill:#3fb950}.b{fill:#8b949e}.s{fill:#d29922}"
            "@media(prefers-color-scheme:dark){text{fill:#e6edf3}}</style>\n"
            "<text x=\"%d\" y=\"16\">CPU time of the server a request, logarithmic: shorter is "
            "better</text>\n",
            WIDTH, bottom, LEFT);
    put_legend(file);
    put_axis(file, bottom - GAP);
    for (size_t i = 0; i < r->count; i++) {
        if (is_charted(&r->told[i])) {
            put_group(file, &r->told[i], y);
            y += (int)r->told[i].count * BAR + GAP;
        }
    }
    fputs("</svg>\n", file);
    close_file(file, path);
}
