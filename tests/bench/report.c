/* report.c -- tables. */
#include "tests/bench/report.h"

#include "state/base/mem.h"

#include <stdio.h>

struct verdict {
    char *text; /* Owned. */
    bool met;
};

struct report {
    struct verdict *verdicts; /* Owned. */
    size_t count, size;
};

static const char *const figure_names[FIGURES] = {"CPU a request", "requests/s", "p50", "p99"};

struct report *
report_create(void)
{
    return xcalloc(1, sizeof(struct report));
}

void
report_destroy(struct report *r)
{
    for (size_t i = 0; r && i < r->count; i++) {
        free(r->verdicts[i].text);
    }
    if (r) {
        free(r->verdicts);
    }
    free(r);
}

static void
add_verdict(struct report *r, char *text, bool met)
{
    if (r->count == r->size) {
        r->size = r->size ? 2 * r->size : 64;
        r->verdicts = xrealloc(r->verdicts, r->size * sizeof *r->verdicts);
    }
    r->verdicts[r->count++] = (struct verdict){text, met};
}

static void
judge(struct report *r, const char *workload, const struct entrant *entrants,
      const struct goal *goal)
{
    bool itself = goal->of == GOAL_ITSELF;
    double value = itself ? entrant_figure(&entrants[0], goal->figure)
                          : entrant_ratio(&entrants[0], &entrants[goal->of], goal->figure);
    bool met = goal->at_most ? value <= goal->limit : value >= goal->limit;
    char *text = xasprintf("%s %.2f%s%s, goal at %s %.2f", figure_names[goal->figure], value,
                           itself ? "" : " x ", itself ? "" : entrants[goal->of].name,
                           goal->at_most ? "most" : "least", goal->limit);

    printf("    %s: %s\n", text, met ? "met" : "MISSED");
    add_verdict(r, xasprintf("%s: %s", workload, text), met);
    free(text);
}

void
report_contest(struct report *r, const char *workload, const struct entrant *entrants, size_t count,
               const struct goal *goals)
{
    static const int decimals[FIGURES] = {2, 0, 1, 1};

    printf("%-36s%13s%13s%13s%13s\n", workload, "CPU us/req", "requests/s", "p50 us", "p99 us");
    for (size_t i = 0; i < count; i++) {
        const struct entrant *e = &entrants[i];

        printf("  %-34s", e->name);
        for (enum figure f = 0; f < FIGURES; f++) {
            double value = entrant_figure(e, f);

            if (value > 0) {
                printf("%13.*f", decimals[f], value);
            } else {
                printf("%13s", "-");
            }
        }
        putchar('\n');
    }
    for (; goals && goals->limit > 0; goals++) {
        judge(r, workload, entrants, goals);
    }
    fflush(stdout);
}

void
report_single(struct report *r, const struct single *s)
{
    bool met = s->at_most ? s->value <= s->limit : s->value >= s->limit;
    char *text = s->limit > 0 ? xasprintf("%s %.2f %s, goal at %s %.2f", s->what, s->value, s->unit,
                                          s->at_most ? "most" : "least", s->limit)
                              : xasprintf("%s %.2f %s", s->what, s->value, s->unit);

    printf("%s: %s%s%s%s%s\n", s->workload, text, s->limit > 0 ? met ? ": met" : ": MISSED" : "",
           s->beside ? " (" : "", s->beside ? s->beside : "", s->beside ? ")" : "");
    if (s->limit > 0) {
        add_verdict(r, xasprintf("%s: %s", s->workload, text), met);
    }
    free(text);
    fflush(stdout);
}

unsigned
report_end(const struct report *r)
{
    unsigned missed = 0;

    for (size_t i = 0; i < r->count; i++) {
        missed += !r->verdicts[i].met;
    }
    printf("%zu goals, %zu met, %u missed\n", r->count, r->count - missed, missed);
    for (size_t i = 0; i < r->count; i++) {
        if (!r->verdicts[i].met) {
            printf("  missed  %s\n", r->verdicts[i].text);
        }
    }
    return missed;
}
