/* edit_toml.h -- one table of somebody else's TOML file, set or taken out; every other byte of it
 * stays what it was.  See edit_json.h, whose contract this is for TOML 1.0.
 *
 * The table is written under a header of its own, its objects as inline tables.  Tables below it
 * ([a.b.env]) are parts of it.  One that is not under headers, but a dotted key or an inline table,
 * is refused with E_CONFLICT. */
#ifndef TANDEM_EDIT_TOML_H
#define TANDEM_EDIT_TOML_H

#include "state/base/err.h"
#include "state/base/mem.h"

#include <jansson.h>

/* As edit_json_set(), edit_json_remove() and edit_json_get(). */
enum err edit_toml_set(struct slice text, const char *const *path, size_t depth,
                       const json_t *value, struct buf *out, struct fault *f);
enum err edit_toml_remove(struct slice text, const char *const *path, size_t depth, struct buf *out,
                          struct fault *f);
enum err edit_toml_get(struct slice text, const char *const *path, size_t depth, json_t **value,
                       struct fault *f);

#endif
