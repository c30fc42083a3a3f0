/* exposition_check.h -- reads what is exposed to Prometheus as strictly as its format is defined.
 */
#ifndef TANDEM_TESTS_EXPOSITION_CHECK_H
#define TANDEM_TESTS_EXPOSITION_CHECK_H

#include "state/base/mem.h"

#include <stdbool.h>

/* True if 'text' is in the format, version 0.0.4: each family has HELP and TYPE once and before its
 * samples, which stand together; names, labels and escapes are good; no series is there twice;
 * counters end in _total and are not negative; buckets rise, end with +Inf, and that is the count.
 * Else 'why' says what is wrong, with the line. */
bool exposition_is_good(const char *text, char *why, size_t size);
/* The value of a series as it is written, "name{labels}"; -1 if it is not there. */
double exposition_value(const char *text, const char *series);

#endif
