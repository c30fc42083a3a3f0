/* exposition.c -- the text format, line by line. */
#include "state/base/exposition.h"

#include <math.h>
#include <stdio.h>

static void
add_escaped(struct buf *out, const char *text, bool quotes)
{
    for (; *text; text++) {
        if (*text == '\n') {
            buf_adds(out, "\\n");
        } else if (*text == '\\' || (quotes && *text == '"')) {
            buf_addc(out, '\\');
            buf_addc(out, *text);
        } else {
            buf_addc(out, *text);
        }
    }
}

void
exposition_family(struct exposition *e, const char *name, enum exposition_kind kind,
                  const char *help)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};

    e->family = name;
    buf_addf(e->out, "# HELP %s ", name);
    add_escaped(e->out, help, false);
    buf_addf(e->out, "\n# TYPE %s %s\n", name, kinds[kind]);
}

/* Whole numbers without a fraction, whatever their size; others as short as they stay the same. */
static void
add_number(struct buf *out, double value)
{
    if (isfinite(value) && value == floor(value) && fabs(value) < 1e15) {
        buf_addf(out, "%.0f", value);
    } else if (isfinite(value)) {
        buf_addf(out, "%.10g", value);
    } else {
        buf_adds(out, isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf");
    }
}

/* 'more' is one further label, written already; or null. */
static void
add_labels(struct buf *out, const struct exposition_label *labels, const char *more)
{
    const char *joint = "{";

    for (; labels && labels->name; labels++) {
        if (labels->value) {
            buf_addf(out, "%s%s=\"", joint, labels->name);
            add_escaped(out, labels->value, true);
            buf_addc(out, '"');
            joint = ",";
        }
    }
    if (more) {
        buf_addf(out, "%s%s", joint, more);
        joint = ",";
    }
    buf_adds(out, *joint == ',' ? "} " : " ");
}

void
exposition_sample(struct exposition *e, const struct exposition_label *labels, double value)
{
    buf_adds(e->out, e->family);
    add_labels(e->out, labels, NULL);
    add_number(e->out, value);
    buf_addc(e->out, '\n');
}

void
exposition_histogram(struct exposition *e, const struct exposition_label *labels,
                     const struct histogram_reading *r)
{
    uint64_t below = 0;
    char bound[40];

    for (unsigned i = 0; i <= HISTOGRAM_BOUNDS; i++) {
        below += r->counts[i];
        if (i < HISTOGRAM_BOUNDS) {
            snprintf(bound, sizeof bound, "le=\"%g\"", (double)histogram_bound(i) / 1e9);
        } else {
            snprintf(bound, sizeof bound, "le=\"+Inf\"");
        }
        buf_addf(e->out, "%s_bucket", e->family);
        add_labels(e->out, labels, bound);
        buf_addf(e->out, "%llu\n", (unsigned long long)below);
    }
    buf_addf(e->out, "%s_sum", e->family);
    add_labels(e->out, labels, NULL);
    add_number(e->out, (double)r->sum_ns / 1e9);
    buf_addf(e->out, "\n%s_count", e->family);
    add_labels(e->out, labels, NULL);
    buf_addf(e->out, "%llu\n", (unsigned long long)r->count);
}

void
exposition_one(struct exposition *e, const char *name, enum exposition_kind kind, const char *help,
               double value)
{
    exposition_family(e, name, kind, help);
    exposition_sample(e, NULL, value);
}
