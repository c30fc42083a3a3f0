/* config.h -- which settings are in force, and where each came from.
 *
 * Four sources, later ones win: the defaults of the table, the configuration file, the
 * environment (TANDEM_...), the command line.  All are read into one immutable snapshot
 * (settings.h); readers take a reference and never wait for a reload, which builds the next
 * snapshot aside and swaps it in.
 *
 * The file is one JSON object: keys as in the table, or sections nested at their dots.  The
 * sections "mcp" and "rag" of prAxIs OS are understood too.  What is not understood is an error
 * with its line and column, never a default. */
#ifndef TANDEM_CONFIG_H
#define TANDEM_CONFIG_H

#include "state/base/problems.h"
#include "state/settings.h"

#define CONFIG_FILE_MAX (1u << 20) /* Bytes of a configuration file. */

/* What one source says, as text; null where it says nothing. */
struct config_texts {
    char *text[SETTING_COUNT]; /* Owned. */
};

void config_texts_fini(struct config_texts *texts);
/* Notes that 'setting' is to be 'text'.  A second text of a LIST is added to the first, any other
 * replaces it. */
void config_texts_add(struct config_texts *texts, enum setting setting, const char *text);
/* Takes every TANDEM_ variable of 'variables' (as environ(7)); an empty one is as good as none. One
 * that no setting has is a warning. */
void config_texts_from_environment(struct config_texts *texts, char *const *variables,
                                   struct problems *problems);
/* Takes a configuration file's text; 'name' names it in problems.  Every mistake is an error
 * there: of JSON, of key, of type, of bounds. */
void config_texts_from_file(struct config_texts *texts, struct slice file, const char *name,
                            struct problems *problems);

struct config;

struct config_options {
    struct config_texts environment, options; /* Stolen, even on failure. */
    const char *path;                         /* Of the file, copied; null for none. */
    const char *name;                         /* What problems call it, copied. */
    bool required;                            /* It is an error if there is none. */
};

/* Reads all sources.  E_OK and a new config; E_ARGUMENT with the first error, all of them being
 * in 'problems'; E_NOT_FOUND, E_TOO_LARGE, E_IO for the file. */
enum err config_create(struct config_options *options, struct config **config,
                       struct problems *problems, struct fault *f);
/* Null is ignored.  Snapshots that others hold live on. */
void config_destroy(struct config *c);
/* The snapshot in force, counted.  Any thread; takes CONFIG. */
struct settings *config_settings(struct config *c);
/* Reads the file anew and swaps the snapshot; the environment and the command line stay as they
 * were.  On any error the old snapshot stays.  Any thread, no lock held. */
enum err config_reload(struct config *c, struct problems *problems, struct fault *f);

/* Checks the text of a configuration file for "tandem check". */
void config_check(struct slice file, const char *name, struct problems *problems);
/* Adds the README's table of settings, in Markdown. */
void config_markdown(struct buf *out);

#endif
