/* report.c -- collecting and telling; the files are report_write.c's. */
#include "tests/bench/report_private.h"

#include "tests/bench/load.h"

#include <stdio.h>

static const char *const figure_names[FIGURES] = {"CPU a request", "requests/s", "median", "p99"};

struct report *
report_create(const char *machine)
{
    struct report *r = xcalloc(1, sizeof *r);

    r->machine = xstrdup(machine);
    return r;
}

static void
told_fini(struct told *t)
{
    for (size_t i = 0; i < t->verdict_count; i++) {
        free(t->verdicts[i].text);
    }
    free(t->workload);
    free(t->single);
    free(t->beside);
}

void
report_destroy(struct report *r)
{
    for (size_t i = 0; r && i < r->count; i++) {
        told_fini(&r->told[i]);
    }
    if (r) {
        free(r->told);
        free(r->machine);
    }
    free(r);
}

static struct told *
add(struct report *r, const char *workload)
{
    if (r->count == r->size) {
        r->size = r->size ? 2 * r->size : 64;
        r->told = xrealloc(r->told, r->size * sizeof *r->told);
    }
    r->told[r->count] = (struct told){.workload = xstrdup(workload)};
    return &r->told[r->count++];
}

/* Steals 'text'. */
static void
add_verdict(struct told *t, char *text, bool met)
{
    if (t->verdict_count == TOLD_VERDICTS) {
        bench_fail("%s: too many goals", t->workload);
    }
    printf("    %s: %s\n", text, met ? "met" : "MISSED");
    t->verdicts[t->verdict_count++] = (struct verdict){text, met};
}

static void
judge(struct told *t, const struct entrant *entrants, const struct goal *goal)
{
    bool itself = goal->of == GOAL_ITSELF;
    double value = itself ? entrant_figure(&entrants[0], goal->figure)
                          : entrant_ratio(&entrants[0], &entrants[goal->of], goal->figure);
    bool met = goal->at_most ? value <= goal->limit : value >= goal->limit;
    bool rate = goal->figure == FIGURE_RATE; /* Its name tells the unit. */
    double unit = itself && !rate && goal->limit >= 1000 ? 1000 : 1;
    char *of = !itself ? xasprintf(" x %s", entrants[goal->of].name)
                       : xstrdup(rate       ? ""
                                 : unit > 1 ? " ms"
                                            : " µs");
    int decimals = itself && rate ? 0 : 2;

    add_verdict(t,
                xasprintf("%s %.*f%s, goal at %s %.*f", figure_names[goal->figure], decimals,
                          value / unit, of, goal->at_most ? "most" : "least", decimals,
                          goal->limit / unit),
                met);
    free(of);
}

void
report_contest(struct report *r, const char *workload, const struct entrant *entrants, size_t count,
               const struct goal *goals)
{
    static const int decimals[FIGURES] = {2, 0, 1, 1};
    struct told *t = add(r, workload);

    if (count > TOLD_ENTRANTS) {
        bench_fail("%s: too many entrants", workload);
    }
    printf("%-36s%13s%13s%13s%13s\n", workload, "CPU us/req", "requests/s", "p50 us", "p99 us");
    for (size_t i = 0; i < count; i++) {
        t->names[i] = entrants[i].name;
        printf("  %-34s", t->names[i]);
        for (enum figure f = 0; f < FIGURES; f++) {
            double value = entrant_figure(&entrants[i], f);

            t->figures[i][f] = value;
            if (value > 0) {
                printf("%13.*f", decimals[f], value);
            } else {
                printf("%13s", "-");
            }
        }
        putchar('\n');
    }
    t->count = count;
    for (; goals && goals->limit > 0; goals++) {
        if (goals->of == GOAL_ITSELF || goals->of < count) {
            judge(t, entrants, goals);
        }
    }
    fflush(stdout);
}

void
report_single(struct report *r, const struct single *s)
{
    struct told *t = add(r, s->workload);

    t->single = xasprintf("%s %.2f %s", s->what, s->value, s->unit);
    t->beside = xstrdup(s->beside ? s->beside : "");
    printf("%s\n  %s%s%s\n", s->workload, t->single, s->beside ? "; " : "", t->beside);
    if (s->limit > 0) {
        add_verdict(
            t, xasprintf("%s, goal at %s %.2f", t->single, s->at_most ? "most" : "least", s->limit),
            s->at_most ? s->value <= s->limit : s->value >= s->limit);
    }
    fflush(stdout);
}

size_t
report_verdicts(const struct report *r, size_t *met)
{
    size_t count = 0;

    *met = 0;
    for (size_t i = 0; i < r->count; i++) {
        count += r->told[i].verdict_count;
        for (size_t j = 0; j < r->told[i].verdict_count; j++) {
            *met += r->told[i].verdicts[j].met;
        }
    }
    return count;
}

void
report_end(const struct report *r)
{
    size_t met, count = report_verdicts(r, &met);

    printf("\n%zu goals, %zu met, %zu missed\n", count, met, count - met);
    for (size_t i = 0; i < r->count; i++) {
        const struct told *t = &r->told[i];

        for (size_t j = 0; j < t->verdict_count; j++) {
            if (!t->verdicts[j].met) {
                printf("  missed  %s: %s\n", t->workload, t->verdicts[j].text);
            }
        }
    }
}
