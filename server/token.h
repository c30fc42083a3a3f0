/* token.h -- the token of the project's server, wherever it is kept.
 *
 * Somebody may have given one: the setting token_file names a file, such as a secret that a
 * container engine has put there, or a variable of the environment.  It is then the only one, and
 * is written nowhere.  Else it is that of the data folder (discovery.h).  main's thread. */
#ifndef TANDEM_TOKEN_H
#define TANDEM_TOKEN_H

#include "server/context.h"
#include "server/discovery.h"

#define TOKEN_LEAST 32u /* Characters of a token that is given. */
#define TOKEN_KINDS 8u  /* How many of them have to differ. */

/* Whether the settings name a token. */
bool token_is_given(const struct settings *settings);
/* Reads the token of 'context', whose data folder is open unless one is given; makes that of the
 * data folder if there is none.  E_REFUSED: others can read it, or it could be guessed; else errors
 * are those of secret_read_text() and discovery_token(). */
enum err token_read(const struct context *context, char token[TOKEN_SIZE], struct fault *f);

#endif
