/* session_file.h -- one workflow session on disk: read, saved, removed, set aside.
 *
 * "<id>.json" in the state folder.  A save goes to a temporary file, is flushed and renamed, and
 * holds
 * "<id>.lock" meanwhile: an open-file-description lock, so that two processes (or two descriptors
 * of one) exclude each other, and a crash frees it.  The lock file is removed with the lock.  A
 * save whose expected revision is not the one on disk fails, so nobody's change is ever written
 * over.  No shared state: any thread. */
#ifndef TANDEM_SESSION_FILE_H
#define TANDEM_SESSION_FILE_H

#include "state/base/err.h"
#include "state/base/file.h"
#include "state/workflow_record.h"

/* The id in the name of a session file, "<id>.json"; false if it is none. */
bool session_file_id(const char *name, char id[RECORD_ID_SIZE]);

/* Reads and parses the file of 'id', at most 'max' bytes, into '*raw', new.  'identity' may be
 * null.  E_NOT_FOUND; E_REFUSED if it is damaged; E_TOO_LARGE, E_STATE (a newer format), E_IO.  The
 * file is left as it is. */
enum err session_file_read(const struct dir *dir, const char *id, size_t max, json_t **raw,
                           struct file_identity *identity, struct fault *f);
/* Moves a damaged file aside as "<id>.json.corrupt-<time>", and tells so in 'f': E_IO.  E_NOT_FOUND
 * if it has gone meanwhile. */
enum err session_file_set_aside(const struct dir *dir, const char *id, int64_t now_ns,
                                struct fault *f);

/* Saves 'record', crash-safe.  'expected' is the revision that must be on disk, or -1: there must
 * be no file.  The file may have 'max' bytes.  Waits up to 'lock_ns' for another writer. E_CONFLICT
 * if the revision is another one; E_NOT_FOUND if the file has gone; E_TIMEOUT; E_TOO_LARGE; E_IO,
 * after which the file may be the old or the new one, whole. */
enum err session_file_save(const struct dir *dir, const json_t *record, int64_t expected,
                           size_t max, int64_t lock_ns, struct fault *f);
/* Removes the file, waiting as above.  E_NOT_FOUND if there was none; E_TIMEOUT; E_IO. */
enum err session_file_remove(const struct dir *dir, const char *id, int64_t lock_ns,
                             struct fault *f);
/* Removes temporary files and lock files that crashed writers left; those of a writer that lives,
 * in whatever process, are held and stay.  Returns how many. */
unsigned session_file_sweep(const struct dir *dir);

#endif
