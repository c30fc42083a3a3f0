/* secret.h -- secrets, which no setting holds: it names the place.  main's thread. */
#ifndef TANDEM_SECRET_H
#define TANDEM_SECRET_H

#include "state/base/err.h"
#include "state/base/mem.h"

#define SECRET_MAX 4096u /* Bytes. */

/* Adds what is at 'place', the value of the setting 'key', to 'secret': a file, looked for from
 * 'folder', or with "env:NAME" a variable of the environment; nothing, if it is "".  Errors name
 * the setting. */
enum err secret_read(const char *key, const char *place, const char *folder, struct buf *secret,
                     struct fault *f);
/* The same for one that is text and goes into a header line, in '*text', new: without white space
 * around it; null if 'place' is "".  E_ARGUMENT if it cannot stand there. */
enum err secret_read_text(const char *key, const char *place, const char *folder, char **text,
                          struct fault *f);
/* E_REFUSED if 'place' is a file that others than its user and group can read, or others than its
 * user can change; one that is not there is for secret_read() to tell of. */
enum err secret_check_private(const char *key, const char *place, const char *folder,
                              struct fault *f);
/* Wipes it and frees it; null is ignored. */
void secret_free(char *text);

#endif
