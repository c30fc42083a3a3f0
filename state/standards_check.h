/* standards_check.h -- what of the standards a search could not use, and why: for "tandem check".
 *
 * Nothing is changed, nothing kept.  Any thread; no locks. */
#ifndef TANDEM_STANDARDS_CHECK_H
#define TANDEM_STANDARDS_CHECK_H

#include "state/base/problems.h"
#include "state/standards.h"

/* Adds an error for each standard in the folder 'at' that cannot be read, is no UTF-8 or is too
 * large, for each folder that cannot be listed, and for a list of synonyms that cannot be used.
 * Returns how many files it looked at. */
size_t standards_check(const struct dir_place *at, struct problems *problems);
/* The same for one file: a standard, or SYNONYMS_FILE.  False if it is neither. */
bool standards_check_file(const struct dir_place *at, const char *path, struct problems *problems);

#endif
