/* hash.h -- uthash (and utlist) as tandem uses it: a table that cannot grow ends the process as
 * xcalloc() does.
 *
 * By itself uthash calls exit(), which from any thread would run what is for the end of main only,
 * and tell nobody why. */
#ifndef TANDEM_HASH_H
#define TANDEM_HASH_H

#include "state/base/mem.h"

#define uthash_fatal(MESSAGE) out_of_memory()
#include <uthash.h>
#include <utlist.h>

#endif
