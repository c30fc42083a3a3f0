/* skills.c -- the store of skills: what it keeps of files, and where in the folders skills are.
 *
 * DESIGN.  A manifest must be true when it is told, and hashing every file of every skill for each
 * list would be slow: so each call walks the folders and looks at every file's identity, and only
 * files that are new or have changed are read.  A file that was written within the last seconds may
 * change once more without a trace in its identity, and is read each time until it is older.  A
 * skill is put together in skills_load.c; what SKILL.md says is skills_text.c. */
#include "state/skills_private.h"

#include <inttypes.h>
#include <stdio.h>

#define FILES_KEPT 20000u /* What is kept of this many files. */
#define YOUNG_NS 2000000000ll

const char *const skill_kind_names[SKILL_KINDS] = {"packs", "project", "standards"};

/* ---- What is kept of files ---- */

bool
skill_digest_of(struct slice bytes, char out[SKILL_DIGEST_SIZE])
{
    unsigned char digest[DIGEST_SIZE];
    bool made = digest_make(bytes, digest);

    if (made) {
        digest_format(digest, out, SKILL_DIGEST_SIZE);
    }
    return made;
}

static bool
is_markdown(const char *path)
{
    size_t len = strlen(path);

    return len > 3 && strcmp(path + len - 3, ".md") == 0;
}

/* Loads a slot: 'key' is the file's path in the workspace. */
static enum err
load_file(void *owner, const char *key, const char *version, void *arg, void **value,
          struct fault *f)
{
    const struct skills *s = owner;
    struct skill_seen *seen = xcalloc(1, sizeof *seen);
    struct buf text = BUF_INIT;
    enum err err = dir_read(s->workspace, key, SKILL_READ_MAX, &text, NULL, f);

    (void)version;
    (void)arg;
    if (!err && (text.failed || !skill_digest_of(buf_slice(&text), seen->digest))) {
        err = fault_set(f, E_OVERLOAD, "there is no memory to read a skill now");
    }
    if (!err) {
        seen->size = text.len;
        if (is_markdown(key)) {
            skill_title_of(buf_slice(&text), seen->title);
        }
        *value = seen;
    } else {
        free(seen);
    }
    buf_fini(&text);
    return err;
}

static const struct slots_class file_slots = {"skill_files", load_file, free};

enum err
skills_see(struct skills *s, const char *path, struct skill_seen *seen, struct fault *f)
{
    struct file_identity id;
    struct slot_pin pin;
    char version[96];
    enum err err = dir_identity(s->workspace, path, &id, f);

    if (err) {
        return err;
    }
    snprintf(version, sizeof version, "%" PRIu64 " %" PRIu64 " %" PRId64 " %" PRId64, id.device,
             id.inode, id.size, id.mtime_ns);
    err = slots_get(s->files, path, version, NULL, INT64_MAX, &pin, f);
    if (err) {
        return err;
    }
    memcpy(seen, pin.value, sizeof *seen);
    if (clock_wall(s->clock) - id.mtime_ns < YOUNG_NS) {
        slots_drop(s->files, path, pin.value);
    }
    slots_unpin(s->files, &pin);
    return E_OK;
}

/* ---- The store ---- */

struct skills *
skills_create(struct dir *workspace, const struct skill_source *sources, size_t count,
              const struct clock *clock)
{
    struct skills *s = xcalloc(1, sizeof *s);

    s->workspace = dir_ref(workspace);
    s->clock = clock;
    for (size_t i = 0; i < count && i < SKILLS_SOURCES_MAX; i++) {
        s->folders[i] = xstrdup(sources[i].folder);
        s->sources[s->source_count++] = (struct skill_source){sources[i].kind, s->folders[i]};
    }
    s->files = slots_create(&file_slots, s, FILES_KEPT);
    return s;
}

void
skills_destroy(struct skills *s)
{
    if (s) {
        slots_destroy(s->files);
        for (size_t i = 0; i < s->source_count; i++) {
            free(s->folders[i]);
        }
        dir_unref(s->workspace);
        free(s);
    }
}

struct slots_counters
skills_counters(struct skills *s)
{
    return slots_counters(s->files);
}

/* ---- Finding ---- */

void
skill_place_fini(struct skill_place *p)
{
    free(p->id);
    free(p->folder);
}

/* True if what is in the folder may be a skill; the rest shows when it is loaded. */
static bool
is_candidate(const struct skills *s, const struct skill_place *p)
{
    const char *needed = p->kind == SKILL_PACK ? "metadata.json" : SKILL_FILE;
    char *path;
    bool is;

    if (p->kind == SKILL_STANDARDS) {
        return true;
    }
    path = xasprintf("%s/%s", p->folder, needed);
    is = dir_is_file(s->workspace, path);
    free(path);
    return is;
}

/* Calls 'visit' with each place of a source, or with that of the name 'only' (no data: all), until
 * it returns false.  It may take the place by clearing it. */
static enum err
each_place(const struct skills *s, const struct skill_source *source, struct slice only,
           bool (*visit)(void *arg, struct skill_place *), void *arg, struct fault *f)
{
    struct dir_list list;
    enum err err = dir_list(s->workspace, source->folder, SKILLS_EACH_MAX, &list, f);
    bool more = true;

    if (err == E_NOT_FOUND || err == E_ARGUMENT) {
        return E_OK; /* There are none. */
    }
    for (size_t i = 0; !err && more && i < list.count; i++) {
        struct skill_place p = {.kind = source->kind, .source = source->folder};

        if (!list.entries[i].folder || !skill_name_of(source->kind, list.entries[i].name, p.name) ||
            (only.data && !slice_is(only, p.name))) {
            continue;
        }
        p.id = xstrdup(list.entries[i].name);
        p.folder = xasprintf("%s/%s", source->folder, p.id);
        more = !is_candidate(s, &p) || visit(arg, &p);
        skill_place_fini(&p);
    }
    if (!err && more && source->kind == SKILL_STANDARDS &&
        (!only.data || slice_is(only, "standards"))) {
        struct skill_place p = {.kind = source->kind, .name = "standards"};

        p.source = source->folder;
        p.folder = xstrdup(source->folder);
        visit(arg, &p);
        skill_place_fini(&p);
    }
    dir_list_fini(&list);
    return err;
}

bool
skills_path_of(enum skill_kind kind, const char *folder, char out[SKILL_PATH_SIZE])
{
    char name[SKILL_NAME_MAX + 1] = "standards";

    if (folder ? !skill_name_of(kind, folder, name) : kind != SKILL_STANDARDS) {
        return false;
    }
    snprintf(out, SKILL_PATH_SIZE, "%s/%s", skill_kind_names[kind], name);
    return true;
}

static bool
add_path(void *arg, struct skill_place *p)
{
    struct skill_paths *paths = arg;

    paths->paths = xrealloc(paths->paths, (paths->count + 1) * sizeof *paths->paths);
    paths->paths[paths->count++] = xasprintf("%s/%s", skill_kind_names[p->kind], p->name);
    return true;
}

static int
compare_paths(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void
skill_paths_fini(struct skill_paths *paths)
{
    for (size_t i = 0; i < paths->count; i++) {
        free(paths->paths[i]);
    }
    free(paths->paths);
    *paths = (struct skill_paths){.paths = NULL};
}

enum err
skills_find(struct skills *s, struct skill_paths *paths, struct fault *f)
{
    enum err err = E_OK;
    size_t kept = 0;

    *paths = (struct skill_paths){.paths = NULL};
    for (size_t i = 0; i < s->source_count && !err; i++) {
        err = each_place(s, &s->sources[i], SLICE_NONE, add_path, paths, f);
    }
    if (err) {
        skill_paths_fini(paths);
        return err;
    }
    if (paths->count) {
        qsort(paths->paths, paths->count, sizeof *paths->paths, compare_paths);
    }
    for (size_t i = 0; i < paths->count; i++) {
        if (kept && strcmp(paths->paths[kept - 1], paths->paths[i]) == 0) {
            free(paths->paths[i]);
        } else {
            paths->paths[kept++] = paths->paths[i];
        }
    }
    paths->count = kept;
    return E_OK;
}

static bool
take_place(void *arg, struct skill_place *p)
{
    struct skill_place *found = arg;

    *found = *p;
    p->id = p->folder = NULL;
    return false;
}

/* Splits 'path' at its first '/'; false if there is none. */
static bool
split(struct slice path, struct slice *head, struct slice *tail)
{
    const char *slash = path.len ? memchr(path.data, '/', path.len) : NULL;

    if (!slash) {
        return false;
    }
    *head = (struct slice){path.data, (size_t)(slash - path.data)};
    *tail = (struct slice){slash + 1, path.len - head->len - 1};
    return true;
}

enum err
skills_find_place(const struct skills *s, struct slice path, struct skill_place *p,
                  struct slice *rest, struct fault *f)
{
    struct slice kind, name, whole;

    *p = (struct skill_place){.folder = NULL};
    *rest = SLICE_NONE;
    if (!split(path, &kind, &whole)) {
        return fault_set(f, E_NOT_FOUND, "this names no skill");
    }
    if (!split(whole, &name, rest)) {
        name = whole;
    }
    for (size_t i = 0; i < s->source_count && !p->folder; i++) {
        enum err err = slice_is(kind, skill_kind_names[s->sources[i].kind])
                           ? each_place(s, &s->sources[i], name, take_place, p, f)
                           : E_OK;
        if (err) {
            return err;
        }
    }
    return p->folder ? E_OK : fault_set(f, E_NOT_FOUND, "there is no such skill");
}
