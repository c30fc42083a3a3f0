/* setup.c -- reads, edits and writes one file of a client. */
#include "server/setup.h"

#include "server/edit/edit_json.h"
#include "server/edit/edit_toml.h"
#include "server/edit/edit_yaml.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <sys/stat.h>

/* How a format is edited. */
static const struct {
    enum err (*set)(struct slice, const char *const *, size_t, const json_t *, struct buf *,
                    struct fault *);
    enum err (*remove)(struct slice, const char *const *, size_t, struct buf *, struct fault *);
    enum err (*get)(struct slice, const char *const *, size_t, json_t **, struct fault *);
} formats[] = {
    [SETUP_JSON] = {edit_json_set, edit_json_remove, edit_json_get},
    [SETUP_TOML] = {edit_toml_set, edit_toml_remove, edit_toml_get},
    [SETUP_YAML] = {edit_yaml_set, edit_yaml_remove, edit_yaml_get},
};

#define DEPTH 2u

/* Where in the file our entry is. */
#define PATH(S) ((const char *const[DEPTH]){(S)->client->list, SETUP_NAME})

static enum err
edit_set(const struct setup *s, struct slice text, const json_t *entry, struct buf *out,
         struct fault *f)
{
    return formats[s->client->format].set(text, PATH(s), DEPTH, entry, out, f);
}

/* The place of a mistake is told with the file, and that nothing was done about it. */
static enum err
tell(const struct setup *s, enum err err, struct fault *f)
{
    if (f && (err == E_PARSE || err == E_CONFLICT)) {
        struct fault inner = *f;

        fault_at(f, err, inner.line, inner.column, "%s:%u:%u: %s; it is left as it is", s->path,
                 inner.line, inner.column, inner.text);
        fault_remedy(f, "%s",
                     inner.remedy[0] ? inner.remedy
                                     : "mend that, or put in what is printed without --write");
    }
    return err;
}

static void
split(struct setup *s)
{
    char *real = realpath(s->path, NULL);
    char *folder = xstrdup(real ? real : s->path), *name = xstrdup(folder);

    s->folder = xstrdup(dirname(folder));
    s->name = xstrdup(basename(name));
    free(folder);
    free(name);
    free(real);
}

/* Adds a file beside ours to 'out'; '*there' is false if there is none. */
static enum err
read_beside(const struct setup *s, const char *name, struct buf *out, bool *there, unsigned *mode,
            struct fault *f)
{
    struct dir *dir = NULL;
    struct stat st;
    enum err err = dir_open(s->folder, false, &dir, f);

    *there = false;
    if (!err) {
        err = dir_read(dir, name, SETUP_FILE_MAX, out, NULL, f);
        *there = !err;
    }
    if (!err && mode && fstatat(dir_fd(dir), name, &st, 0) == 0) {
        *mode = st.st_mode & 0777;
    }
    dir_unref(dir);
    return err == E_NOT_FOUND ? E_OK : err;
}

enum err
setup_open(struct setup *s, const struct setup_client *client, char *path, struct fault *f)
{
    *s = (struct setup){.client = client, .path = path};
    split(s);
    buf_reserve(&s->before, 1); /* No text is text too. */
    return read_beside(s, s->name, &s->before, &s->there, &s->mode, f);
}

void
setup_fini(struct setup *s)
{
    free(s->path);
    free(s->folder);
    free(s->name);
    buf_fini(&s->before);
    buf_fini(&s->after);
}

enum err
setup_read(const struct setup *s, json_t **entry, struct fault *f)
{
    return tell(s, formats[s->client->format].get(buf_slice(&s->before), PATH(s), DEPTH, entry, f),
                f);
}

/* Whether 'text' has exactly 'entry': what was edited is read again before anybody else does. */
static bool
holds(const struct setup *s, struct slice text, const json_t *entry)
{
    json_t *found = NULL;
    bool same = formats[s->client->format].get(text, PATH(s), DEPTH, &found, NULL) == E_OK &&
                json_equal(found, entry);

    json_decref(found);
    return same;
}

enum err
setup_plan(struct setup *s, const json_t *entry, struct fault *f)
{
    enum err err;

    buf_reset(&s->after);
    err = edit_set(s, buf_slice(&s->before), entry, &s->after, f);
    if (!err && !holds(s, buf_slice(&s->after), entry)) {
        err = fault_set(f, E_CONFLICT, "%s is written in a way that cannot be added to", s->path);
        return fault_remedy(f, "put in what is printed without --write");
    }
    return tell(s, err, f);
}

/* Writes a file beside ours with 'mode'. */
static enum err
write_beside(struct dir *dir, const char *name, struct slice text, unsigned mode, struct fault *f)
{
    enum err err = dir_write(dir, name, text, f);

    if (!err && fchmodat(dir_fd(dir), name, mode, 0) != 0) {
        err = fault_set(f, E_IO, "the mode of %s cannot be set: %s", name, strerror(errno));
    }
    return err;
}

static enum err
check_unchanged(const struct setup *s, struct fault *f)
{
    struct buf now = BUF_INIT;
    bool there;
    enum err err = read_beside(s, s->name, &now, &there, NULL, f);

    if (!err && (there != s->there || !slice_equal(buf_slice(&now), buf_slice(&s->before)))) {
        err = fault_set(f, E_CONFLICT, "%s has just been changed by somebody else", s->path);
        fault_remedy(f, "try again");
    }
    buf_fini(&now);
    return err;
}

enum err
setup_write(struct setup *s, bool *kept, struct fault *f)
{
    char *backup = xasprintf("%s" SETUP_BACKUP, s->name);
    struct dir *dir = NULL;
    json_t *old = NULL;
    enum err err = check_unchanged(s, f);

    err = err ? err : dir_open(s->folder, true, &dir, f);
    err = err ? err : setup_read(s, &old, f);
    /* With an entry of ours in it, what is kept from before that is the older. */
    if (!err && s->there && !(old && dir_is_file(dir, backup))) {
        err = write_beside(dir, backup, buf_slice(&s->before), s->mode, f);
    }
    if (kept) {
        *kept = dir && dir_is_file(dir, backup);
    }
    if (!err) {
        err = write_beside(dir, s->name, buf_slice(&s->after), s->there ? s->mode : 0600, f);
    }
    json_decref(old);
    dir_unref(dir);
    free(backup);
    return err;
}

/* Whether the file is 'text' and our entry, and nothing else. */
static bool
is_only_ours(const struct setup *s, struct slice text, const json_t *entry)
{
    struct buf made = BUF_INIT;
    bool same = edit_set(s, text, entry, &made, NULL) == E_OK &&
                slice_equal(buf_slice(&made), buf_slice(&s->before));

    buf_fini(&made);
    return same;
}

/* Puts back what there was; the old bytes are not kept any longer. */
static enum err
put_back(struct setup *s, struct dir *dir, const char *backup, bool had_old, struct slice old,
         const json_t *entry, enum setup_undone *undone, struct fault *f)
{
    enum err err;

    if (!had_old && is_only_ours(s, SLICE(""), entry)) {
        *undone = SETUP_REMOVED;
        return dir_remove(dir, s->name, f);
    }
    buf_reset(&s->after);
    if (had_old && is_only_ours(s, old, entry)) {
        *undone = SETUP_RESTORED;
        buf_add_slice(&s->after, old);
        err = E_OK;
    } else {
        *undone = SETUP_TAKEN_OUT;
        err =
            formats[s->client->format].remove(buf_slice(&s->before), PATH(s), DEPTH, &s->after, f);
    }
    err = err ? err : write_beside(dir, s->name, buf_slice(&s->after), s->mode, f);
    return err || !had_old ? err : dir_remove(dir, backup, f);
}

enum err
setup_undo(struct setup *s, enum setup_undone *undone, struct fault *f)
{
    char *backup = xasprintf("%s" SETUP_BACKUP, s->name);
    struct buf old = BUF_INIT;
    struct dir *dir = NULL;
    json_t *entry = NULL;
    bool had_old = false;
    enum err err = setup_read(s, &entry, f);

    if (!err && !entry) {
        err = fault_set(f, E_NOT_FOUND, "%s has no entry \"" SETUP_NAME "\"", s->path);
    }
    err = err ? err : dir_open(s->folder, false, &dir, f);
    err = err ? err : read_beside(s, backup, &old, &had_old, NULL, f);
    err = err ? err : check_unchanged(s, f);
    if (!err) {
        err = put_back(s, dir, backup, had_old, buf_slice(&old), entry, undone, f);
    }
    json_decref(entry);
    dir_unref(dir);
    buf_fini(&old);
    free(backup);
    return err;
}
