/* config.c -- sources into a snapshot, and the snapshot in force.
 *
 * DESIGN.  A reload builds aside and swaps only if nobody else has swapped meanwhile; else it
 * builds again.  So no lock is held while a file is read, and the snapshot in force is never an
 * older reading than the one before it. */
#include "state/config.h"

#include "state/base/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct config {
    struct config_texts environment, options; /* Set once. */
    char *path, *name;                        /* Owned, set once; null for no file. */
    bool required;
    struct lock lock;
    struct settings *current GUARDED_BY(LC_CONFIG); /* Counted. */
};

void
config_texts_fini(struct config_texts *texts)
{
    for (int i = 0; i < SETTING_COUNT; i++) {
        free(texts->text[i]);
    }
    *texts = (struct config_texts){.text = {NULL}};
}

void
config_texts_add(struct config_texts *texts, enum setting setting, const char *text)
{
    char *old = texts->text[setting];

    texts->text[setting] = old && setting_row(setting)->type == SETTING_LIST
                               ? xasprintf("%s,%s", old, text)
                               : xstrdup(text);
    free(old);
}

void
config_texts_from_environment(struct config_texts *texts, char *const *variables,
                              struct problems *problems)
{
    static const char prefix[] = "TANDEM_";

    for (; variables && *variables; variables++) {
        const char *name = *variables + strlen(prefix);
        const char *equals = strchr(*variables, '=');
        struct slice word;
        int setting, near;

        if (strncmp(*variables, prefix, strlen(prefix)) != 0 || !equals) {
            continue;
        }
        word = (struct slice){name, (size_t)(equals - name)};
        setting = setting_find(word);
        if (setting >= 0) {
            if (equals[1]) {
                config_texts_add(texts, (enum setting)setting, equals + 1);
            }
            continue;
        }
        near = setting_nearest(word);
        if (near >= 0) {
            char meant[SETTING_NAME_SIZE];
            setting_variable_name((enum setting)near, meant);
            problems_add(problems, PROBLEM_WARNING, "environment", 0, 0,
                         "no setting has the variable TANDEM_%.*s; did you mean %s?", (int)word.len,
                         word.data, meant);
        } else {
            problems_add(problems, PROBLEM_WARNING, "environment", 0, 0,
                         "no setting has the variable TANDEM_%.*s", (int)word.len, word.data);
        }
    }
}

static void
apply(struct settings *s, const struct config_texts *texts, enum setting_origin origin,
      const char *source, struct problems *problems)
{
    for (int i = 0; i < SETTING_COUNT; i++) {
        struct fault f = FAULT_INIT;
        if (texts->text[i] && settings_set(s, (enum setting)i, texts->text[i], origin, &f)) {
            problems_add(problems, PROBLEM_ERROR, source, 0, 0, "%s", f.text);
        }
    }
}

/* The file is the user's own, named by himself, so links are followed: containers mount it as
 * one. */
static enum err
read_file(const char *path, const char *name, bool required, struct buf *out, bool *found,
          struct fault *f)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    enum err err = E_OK;

    *found = fd >= 0;
    out->limit = CONFIG_FILE_MAX;
    if (fd < 0) {
        if (errno == ENOENT && !required) {
            return E_OK;
        }
        return fault_set(f, errno == ENOENT ? E_NOT_FOUND : E_IO, "%s cannot be read: %s", name,
                         strerror(errno));
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        err = fault_set(f, E_IO, "%s is not a regular file", name);
    }
    while (!err) {
        char piece[4096];
        ssize_t n = read(fd, piece, sizeof piece);

        if (n == 0) {
            break;
        }
        if (n < 0 && errno != EINTR) {
            err = fault_set(f, E_IO, "%s cannot be read: %s", name, strerror(errno));
        } else if (n > 0) {
            buf_add(out, piece, (size_t)n);
            if (out->failed) {
                err =
                    fault_set(f, E_TOO_LARGE, "%s is larger than %u bytes", name, CONFIG_FILE_MAX);
            }
        }
    }
    close(fd);
    return err;
}

/* The first error of 'problems' as the fault of the whole. */
static enum err
first_error(const struct problems *problems, struct fault *f)
{
    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *p = &problems->items[i];
        if (p->severity == PROBLEM_ERROR) {
            fault_at(f, E_ARGUMENT, p->line, p->column, "%s: %s", p->file, p->text);
            return fault_remedy(f, "\"tandem settings --help\" tells what each setting takes");
        }
    }
    return fault_set(f, E_ARGUMENT, "the settings hold more problems than can be listed");
}

/* Reads all sources of 'c' into a new snapshot. */
static enum err
build(const struct config *c, struct settings **settings, struct problems *problems,
      struct fault *f)
{
    struct config_texts file_texts = {.text = {NULL}};
    struct settings *s = settings_create();
    struct problems found = PROBLEMS_INIT;
    struct buf file = BUF_INIT;
    struct fault together = FAULT_INIT;
    bool file_found = false;
    enum err err = E_OK;

    if (c->path) {
        err = read_file(c->path, c->name, c->required, &file, &file_found, f);
    }
    if (!err && file_found) {
        config_texts_from_file(&file_texts, buf_slice(&file), c->name, &found);
    }
    if (!err) {
        apply(s, &file_texts, ORIGIN_FILE, c->name, &found);
        apply(s, &c->environment, ORIGIN_ENVIRONMENT, "environment", &found);
        apply(s, &c->options, ORIGIN_OPTION, "command line", &found);
        if (settings_check(s, &together)) {
            problems_add(&found, PROBLEM_ERROR, "settings", 0, 0, "%s", together.text);
        }
        if (found.errors) {
            err = first_error(&found, f);
        }
    }
    for (size_t i = 0; i < found.count; i++) {
        const struct problem *p = &found.items[i];
        problems_add(problems, p->severity, p->file, p->line, p->column, "%s", p->text);
    }
    problems_fini(&found);
    config_texts_fini(&file_texts);
    buf_fini(&file);
    if (err) {
        settings_unref(s);
        s = NULL;
    }
    *settings = s;
    return err;
}

UNSHARED enum err
config_create(struct config_options *options, struct config **config, struct problems *problems,
              struct fault *f)
{
    struct config *c = xcalloc(1, sizeof *c);
    enum err err;

    *config = NULL;
    c->environment = options->environment;
    c->options = options->options;
    options->environment = options->options = (struct config_texts){.text = {NULL}};
    c->path = options->path ? xstrdup(options->path) : NULL;
    c->name = xstrdup(options->name ? options->name : "configuration");
    c->required = options->required;
    lock_init(&c->lock, RANK_CONFIG);
    err = build(c, &c->current, problems, f);
    if (err) {
        config_destroy(c);
    } else {
        *config = c;
    }
    return err;
}

UNSHARED void
config_destroy(struct config *c)
{
    if (!c) {
        return;
    }
    settings_unref(c->current);
    config_texts_fini(&c->environment);
    config_texts_fini(&c->options);
    lock_fini(&c->lock);
    free(c->path);
    free(c->name);
    free(c);
}

struct settings *
config_settings(struct config *c)
{
    struct settings *s;

    LOCK(CONFIG, &c->lock);
    s = settings_ref(c->current);
    UNLOCK(CONFIG, &c->lock);
    return s;
}

enum err
config_reload(struct config *c, struct problems *problems, struct fault *f)
{
    for (;;) {
        struct settings *old = config_settings(c);
        struct settings *next;
        bool swapped = false;
        enum err err = build(c, &next, problems, f);

        if (!err) {
            next->version = old->version + 1;
            LOCK(CONFIG, &c->lock);
            if (c->current == old) {
                c->current = next;
                swapped = true;
            }
            UNLOCK(CONFIG, &c->lock);
        }
        settings_unref(old);
        if (swapped) {
            settings_unref(old); /* The reference that 'current' held. */
            return E_OK;
        }
        settings_unref(next);
        if (err) {
            return err;
        }
    }
}

void
config_check(struct slice file, const char *name, struct problems *problems)
{
    struct config_texts texts = {.text = {NULL}};
    struct settings *s = settings_create();
    struct problems unused = PROBLEMS_INIT;
    struct fault f = FAULT_INIT;

    config_texts_from_file(&texts, file, name, problems);
    apply(s, &texts, ORIGIN_FILE, name, &unused);
    if (settings_check(s, &f)) {
        problems_add(problems, PROBLEM_ERROR, name, 0, 0, "%s", f.text);
    }
    problems_fini(&unused);
    settings_unref(s);
    config_texts_fini(&texts);
}

static void
add_cell(struct buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '|') {
            buf_addc(out, '\\');
        }
        buf_addc(out, *text);
    }
}

void
config_markdown(struct buf *out)
{
    buf_adds(out, "| key | takes | default | bounds | what it does |\n|---|---|---|---|---|\n");
    for (int i = 0; i < SETTING_COUNT; i++) {
        const struct setting_row *row = setting_row((enum setting)i);

        buf_addf(out, "| `%s` | ", row->key);
        add_cell(out, setting_takes((enum setting)i));
        buf_addf(out, row->initial[0] ? " | `%s` | " : " | | ", row->initial);
        if (row->most[0]) {
            buf_addf(out, "%s to %s", row->least, row->most);
        }
        buf_adds(out, " | ");
        add_cell(out, row->help);
        buf_adds(out, " |\n");
    }
}
