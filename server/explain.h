/* explain.h -- why a search gave what it gave, as a table for people.
 *
 * Made from the structured result alone, so from whichever server it comes. */
#ifndef TANDEM_EXPLAIN_H
#define TANDEM_EXPLAIN_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* Writes what each result's score is made of, and how it was found.  False, with nothing written,
 * if 'result' is not that of a search. */
bool explain_search(FILE *to, const json_t *result);

#endif
