/* config_sources.c -- the file, the environment and the command line, made into one snapshot. */
#include "state/config_sources.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static void
apply(struct settings *s, const struct config_texts *texts, enum setting_origin origin,
      const char *source, struct problems *problems)
{
    for (int i = 0; i < SETTING_COUNT; i++) {
        struct fault f = FAULT_INIT;
        if (texts->text[i] && settings_set(s, (enum setting)i, texts->text[i], origin, &f)) {
            problems_add(problems, PROBLEM_ERROR, source, 0, 0, "%s", f.text);
        } else if (texts->text[i]) {
            s->lines[i] = texts->line[i];
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

/* Puts what all of them say into 's'. */
static enum err
read_all(struct config_sources *sources, struct settings *s, struct problems *found,
         struct fault *f)
{
    struct config_texts file_texts = {.text = {NULL}};
    struct buf file = BUF_INIT;
    bool file_found = false;
    enum err err = E_OK;

    atomic_fetch_add(&sources->reads, 1);
    if (sources->path) {
        err = read_file(sources->path, sources->name, sources->required, &file, &file_found, f);
    }
    if (!err && file_found) {
        config_texts_from_file(&file_texts, buf_slice(&file), sources->name, found);
        s->file = xstrdup(sources->name);
    }
    if (!err) {
        apply(s, &file_texts, ORIGIN_FILE, sources->name, found);
        apply(s, &sources->environment, ORIGIN_ENVIRONMENT, "environment", found);
        apply(s, &sources->options, ORIGIN_OPTION, "command line", found);
    }
    config_texts_fini(&file_texts);
    buf_fini(&file);
    return err;
}

/* What a running server cannot change stays as it is; what was set at run time stays too, unless it
 * is 'but'. */
static void
keep_fixed(struct settings *s, const struct settings *old, int but, struct problems *found)
{
    for (int i = 0; i < SETTING_COUNT; i++) {
        const struct setting_row *row = setting_row((enum setting)i);

        if (row->where != SETTING_LIVE) {
            if (!settings_same(s, old, (enum setting)i)) {
                problems_add(found, PROBLEM_WARNING, s->file, s->lines[i], 0,
                             "%s takes effect at the next start", row->key);
            }
            settings_adopt(s, old, (enum setting)i);
        } else if (old->origins[i] == ORIGIN_RUN_TIME && i != but) {
            settings_adopt(s, old, (enum setting)i);
        }
    }
}

enum err
config_sources_read(struct config_sources *sources, const struct settings *old, int but,
                    struct settings **settings, struct problems *problems, struct fault *f)
{
    struct settings *s = settings_create();
    struct problems found = PROBLEMS_INIT;
    struct fault together = FAULT_INIT;
    enum err err = read_all(sources, s, &found, f);

    if (!err && old) {
        keep_fixed(s, old, but, &found);
    }
    if (!err) {
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
    if (err) {
        atomic_fetch_add(&sources->refused, 1);
        settings_unref(s);
        s = NULL;
    }
    *settings = s;
    return err;
}

void
config_sources_fini(struct config_sources *sources)
{
    config_texts_fini(&sources->environment);
    config_texts_fini(&sources->options);
    free(sources->path);
    free(sources->name);
}
