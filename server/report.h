/* report.h -- words for people: faults, problems, and text that fits a screen. */
#ifndef TANDEM_REPORT_H
#define TANDEM_REPORT_H

#include "state/base/err.h"
#include "state/base/problems.h"

#include <stdio.h>

#define REPORT_WIDTH 80

/* "tandem: what went wrong", and its remedy on a line of its own. */
void report_fault(FILE *to, const struct fault *f);
/* "folder/file:line:column: error: text", one a line, and how many were left out.  'folder' may be
 * empty. */
void report_problems(FILE *to, const char *folder, const struct problems *problems);
/* Writes 'text' from column 'at' (where the line already is) on, wrapped at REPORT_WIDTH, further
 * lines indented by 'indent'; ends the line.  Newlines in 'text' begin a new line. */
void report_wrapped(FILE *to, unsigned at, unsigned indent, const char *text);

#endif
