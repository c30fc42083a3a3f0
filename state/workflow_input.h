/* workflow_input.h -- what a workflow takes from a client, and what it refuses before anything is
 * done.
 *
 * Every check is pure but for one: whether a path that is fine as text leads out of the workspace
 * by a symbolic link is asked of the kernel.  Any thread. */
#ifndef TANDEM_WORKFLOW_INPUT_H
#define TANDEM_WORKFLOW_INPUT_H

#include "state/base/err.h"
#include "state/base/file.h"

#include <jansson.h>

#define INPUT_TARGET_MAX 1024u /* Bytes of target_file. */
#define INPUT_NOTE_MAX 4096u   /* Bytes of a note or reason. */
#define INPUT_OPTIONS_BYTES_MAX (64u << 10)
#define INPUT_OPTIONS_DEPTH_MAX 16u
#define INPUT_OPTIONS_VALUES_MAX 1000u

/* E_ARGUMENT unless 'text' is a relative path without "..", shell signs, encoded separators, drive
 * letters or control characters, which does not lead out of 'workspace'.  'name' is the argument's.
 */
enum err input_check_path(const char *name, const char *text, const struct dir *workspace,
                          struct fault *f);
/* The same for 'json' if it is a string; E_ARGUMENT if it is missing, or no string, or holds NUL.
 */
enum err input_check_target(const json_t *json, const struct dir *workspace, struct fault *f);
/* E_ARGUMENT if 'options' is not null and no object, or is over a bound above. */
enum err input_check_options(const json_t *options, struct fault *f);
/* E_ARGUMENT if a key anywhere in 'value' holds NUL: it could be saved and not be read again. */
enum err input_check_keys(const json_t *value, struct fault *f);
/* E_ARGUMENT if 'note' (may be null) is longer than INPUT_NOTE_MAX. */
enum err input_check_note(const char *name, const char *note, struct fault *f);

#endif
