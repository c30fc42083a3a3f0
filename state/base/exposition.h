/* exposition.h -- numbers in the text format that Prometheus reads (version 0.0.4).
 *
 * A family is begun once, and its samples follow: so HELP and TYPE stand once, in front of them.
 * Names and labels are those of the code; values of labels may be anything, and are escaped.  The
 * caller sees to it that no two samples of a family have the same labels.  Pure. */
#ifndef TANDEM_EXPOSITION_H
#define TANDEM_EXPOSITION_H

#include "state/base/histogram.h"
#include "state/base/mem.h"

#define EXPOSITION_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum exposition_kind { EXPOSITION_COUNTER, EXPOSITION_GAUGE, EXPOSITION_HISTOGRAM };

struct exposition_label {
    const char *name, *value; /* A null value: the label is left out. */
};

struct exposition {
    struct buf *out;
    const char *family; /* Borrowed: the one that is being written. */
};

/* Begins a family.  A counter's name ends in "_total". */
void exposition_family(struct exposition *e, const char *name, enum exposition_kind kind,
                       const char *help);
/* One sample; 'labels' (may be null) ends with one without a name. */
void exposition_sample(struct exposition *e, const struct exposition_label *labels, double value);
/* A histogram's samples, in seconds. */
void exposition_histogram(struct exposition *e, const struct exposition_label *labels,
                          const struct histogram_reading *r);
/* A family of one sample without labels. */
void exposition_one(struct exposition *e, const char *name, enum exposition_kind kind,
                    const char *help, double value);

#endif
