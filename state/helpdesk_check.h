/* helpdesk_check.h -- what of the helpdesk's folder cannot be searched, and why: for "tandem
 * check".
 *
 * Nothing is changed, nothing kept.  Any thread; no locks. */
#ifndef TANDEM_HELPDESK_CHECK_H
#define TANDEM_HELPDESK_CHECK_H

#include "state/base/file.h"
#include "state/base/problems.h"

/* Adds an error for each document in the folder 'at', or in that of an index in it, which cannot be
 * used, and for each index file that is no good, whoever made its vectors; a warning for a folder
 * that no index can be called by.  Returns how many files it looked at. */
size_t helpdesk_check(const struct dir_place *at, struct problems *problems);
/* True for the name of an index file. */
bool helpdesk_check_knows(const char *name);
/* The same for an index file, told as 'shown'; false if there is none. */
bool helpdesk_check_file(const struct dir *dir, const char *path, const char *shown,
                         struct problems *problems);

#endif
