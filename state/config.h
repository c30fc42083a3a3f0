/* config.h -- which settings are in force, and where each came from.
 *
 * Five sources, later ones win: the defaults of the table, the configuration file, the
 * environment (TANDEM_...), the command line, and what was set while the server ran.  All are read
 * into one immutable snapshot (settings.h); readers take a reference and never wait for a change,
 * which builds the next snapshot aside and swaps it in.
 *
 * Only rows that are LIVE change while the server runs: of the others the value of the start stays
 * in force, and a reload says which of them wait for the next one.
 *
 * The file is one JSON object: keys as in the table, or sections nested at their dots.  The
 * sections "mcp" and "rag" of prAxIs OS are understood too.  What is not understood is an error
 * with its line and column, never a default; nor is a value out of its bounds bent to fit. */
#ifndef TANDEM_CONFIG_H
#define TANDEM_CONFIG_H

#include "state/base/problems.h"
#include "state/settings.h"

#define CONFIG_FILE_MAX (1u << 20) /* Bytes of a configuration file. */

/* What one source says, as text; null where it says nothing. */
struct config_texts {
    char *text[SETTING_COUNT];    /* Owned. */
    unsigned line[SETTING_COUNT]; /* Of the file; else 0. */
};

/* Frees what it holds; it can be used again, empty. */
void config_texts_fini(struct config_texts *texts);
/* Notes that 'setting' is to be 'text'.  A second text of a LIST is added to the first, any other
 * replaces it. */
void config_texts_add(struct config_texts *texts, enum setting setting, const char *text);
/* Variables that are no settings: they tell clients where their server is, and what to show it
 * (server/reach.h). */
#define CLIENT_URL "TANDEM_URL"
#define CLIENT_WS_URL "TANDEM_WS_URL"
#define CLIENT_TOKEN "TANDEM_TOKEN"

/* Takes every TANDEM_ variable of 'variables' (as environ(7)); an empty one is as good as none. One
 * that no setting has, and no client, is a warning. */
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
/* One whose only source is a snapshot, of which it takes a copy: for what has no files. */
struct config *config_of(const struct settings *settings);
struct config *config_ref(struct config *c);
/* Null is ignored.  Snapshots that others hold live on. */
void config_unref(struct config *c);
/* The snapshot in force, counted.  Any thread; takes CONFIG. */
struct settings *config_settings(struct config *c);

/* The rest: any thread, no lock held. */

/* Reads the file anew and swaps the snapshot; the environment and the command line stay as they
 * were, as does what was set at run time.  What differs but is not LIVE is a warning.  On any error
 * the old snapshot stays. */
enum err config_reload(struct config *c, struct problems *problems, struct fault *f);
/* The same without swapping. */
enum err config_validate(struct config *c, struct problems *problems, struct fault *f);
/* Gives 'setting' the value that 'text' says, until the server ends; with null, the value that it
 * has from the other sources, which are read anew.  E_STATE: it is not LIVE.  E_ARGUMENT: not of
 * its type, outside its bounds, or at odds with another; else errors are those of a reload. */
enum err config_set(struct config *c, enum setting setting, const char *text, struct fault *f);

/* Told after a change is in force, by the thread that made it or another that changes something
 * else, one at a time, no lock held: 'now' is borrowed for the call, 'keys' says what has changed
 * since the last. */
typedef void config_changed_fn(void *arg, const struct settings *now,
                               const bool keys[SETTING_COUNT]);
struct config_listener {
    config_changed_fn *changed;
    void *arg;
};
/* At most eight.  Told of changes that begin after this. */
void config_listen(struct config *c, config_changed_fn *changed, void *arg);
/* Ends that.  No change may be under way. */
void config_deafen(struct config *c, config_changed_fn *changed, void *arg);

struct config_counters {
    uint64_t reads;   /* Times that all sources were read. */
    uint64_t refused; /* Of them, those that were no good. */
    uint64_t version; /* Of the snapshot in force. */
};
/* What is counted, as it is now. */
struct config_counters config_counters(struct config *c);

/* Checks the text of a configuration file for "tandem check". */
void config_check(struct slice file, const char *name, struct problems *problems);
/* Adds the table of deploy/settings.md, in Markdown. */
void config_markdown(struct buf *out);

#endif
