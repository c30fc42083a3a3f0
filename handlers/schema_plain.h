/* schema_plain.h -- the plain schemas of most tools, made ready to say "it fits" at once.
 *
 * A schema is checked as it was loaded (schema.h), by looking its words up in hash tables: 1,800
 * instructions for one argument, of the 25,800 of a small call; this takes 200.  Most calls are
 * right, and most arguments are plain: a string, a number, a flag, a word of a list.  So what is
 * made ready here answers one question only: whether an object surely fits.  Where it does not say
 * so, be it that the object is wrong or that the schema asks for more than is known here,
 * schema_validate() is to be asked: there is one place that tells what is wrong, and how.
 *
 * Pure; once made it may be used by many threads at once. */
#ifndef TANDEM_SCHEMA_PLAIN_H
#define TANDEM_SCHEMA_PLAIN_H

#include "handlers/schema.h"

struct schema_plain;

/* What is plain of 'schema', which has passed schema_check() and must outlive it; new. */
struct schema_plain *schema_plain_create(const json_t *schema);
/* Null is ignored. */
void schema_plain_destroy(struct schema_plain *p);

/* True only if schema_validate() would take 'value', and leave it as it is. */
bool schema_plain_fits(const struct schema_plain *p, const json_t *value);

#endif
