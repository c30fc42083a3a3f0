/* edit_yaml.h -- one member of somebody else's YAML file, set or taken out; every other line of it
 * stays what it was.  See edit_json.h, whose contract this is for the YAML that state/yaml.h reads.
 *
 * Maps on the path are in block style, or empty; others are refused with E_CONFLICT. */
#ifndef TANDEM_EDIT_YAML_H
#define TANDEM_EDIT_YAML_H

#include "state/base/err.h"
#include "state/base/mem.h"

#include <jansson.h>

/* As edit_json_set(), edit_json_remove() and edit_json_get(). */
enum err edit_yaml_set(struct slice text, const char *const *path, size_t depth,
                       const json_t *value, struct buf *out, struct fault *f);
enum err edit_yaml_remove(struct slice text, const char *const *path, size_t depth, struct buf *out,
                          struct fault *f);
enum err edit_yaml_get(struct slice text, const char *const *path, size_t depth, json_t **value,
                       struct fault *f);

#endif
