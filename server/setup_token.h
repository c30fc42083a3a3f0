/* setup_token.h -- the token in our entry of a client's file: the name of a variable that the
 * client reads, or, where it reads none, the token itself, which is for its owner alone.
 *
 * main's thread. */
#ifndef TANDEM_SETUP_TOKEN_H
#define TANDEM_SETUP_TOKEN_H

#include "server/setup.h"

struct setup_token {
    const char *literal; /* Borrowed from the entry: the token itself; else null. */
    char variable[128];  /* The variable that holds it; else "". */
};

/* How 'entry' shows its token; neither, if it shows none, or in a way that only the client can
 * tell ("${input:...}"). */
struct setup_token setup_token_of(const struct setup_client *client, const json_t *entry);
/* Lets 'entry' show its token as 'old' (may be null) does, if that names another variable. */
void setup_token_keep(const struct setup_client *client, const json_t *old, json_t *entry);
/* E_REFUSED with what mends it, if a token is to stand, or stands, in a file that others can
 * read. */
enum err setup_token_check(const struct setup *s, const json_t *entry, struct fault *f);

#endif
