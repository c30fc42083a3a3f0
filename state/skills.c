/* skills.c -- finds skills, and takes stock of their files.
 *
 * DESIGN.  A manifest must be true when it is told, and hashing every file of every skill for each
 * list would be slow: so each call walks the folders and looks at every file's identity, and only
 * files that are new or have changed are read.  A file that was written within the last seconds may
 * change once more without a trace in its identity, and is read each time until it is older.  What
 * SKILL.md says is skills_text.c. */
#include "state/skills_private.h"

#include "state/base/log.h"
#include "state/digest.h"

#include <inttypes.h>
#include <stdio.h>

LOG_MODULE("skills");

#define FILES_KEPT 20000u /* What is kept of this many files. */
#define YOUNG_NS 2000000000ll

struct skills {
    struct dir *workspace; /* Counted; set once, as are all members. */
    const struct clock *clock;
    struct skill_source sources[SKILLS_SOURCES_MAX]; /* Borrows the next. */
    char *folders[SKILLS_SOURCES_MAX];               /* Owned. */
    size_t source_count;
    struct slots *files; /* Of struct skill_seen, by path and identity. */
};

static const char *const kind_names[SKILL_KINDS] = {"packs", "project", "standards"};

/* ---- What is kept of files ---- */

static bool
digest_of(struct slice bytes, char out[SKILL_DIGEST_SIZE])
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
    if (!err && (text.failed || !digest_of(buf_slice(&text), seen->digest))) {
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

/* Looks at the file 'path' of the workspace, from what is kept if it is the same file. */
static enum err
see_file(struct skills *s, const char *path, struct skill_seen *seen, struct fault *f)
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

static void
place_fini(struct skill_place *p)
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
        place_fini(&p);
    }
    if (!err && more && source->kind == SKILL_STANDARDS &&
        (!only.data || slice_is(only, "standards"))) {
        struct skill_place p = {.kind = source->kind, .name = "standards"};

        p.source = source->folder;
        p.folder = xstrdup(source->folder);
        visit(arg, &p);
        place_fini(&p);
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
    snprintf(out, SKILL_PATH_SIZE, "%s/%s", kind_names[kind], name);
    return true;
}

static bool
add_path(void *arg, struct skill_place *p)
{
    struct skill_paths *paths = arg;

    paths->paths = xrealloc(paths->paths, (paths->count + 1) * sizeof *paths->paths);
    paths->paths[paths->count++] = xasprintf("%s/%s", kind_names[p->kind], p->name);
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

/* Finds the place of the skill that 'path' begins with.  Stores what comes after it, empty if
 * nothing does. */
static enum err
find_place(const struct skills *s, struct slice path, struct skill_place *p, struct slice *rest,
           struct fault *f)
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
        enum err err = slice_is(kind, kind_names[s->sources[i].kind])
                           ? each_place(s, &s->sources[i], name, take_place, p, f)
                           : E_OK;
        if (err) {
            return err;
        }
    }
    return p->folder ? E_OK : fault_set(f, E_NOT_FOUND, "there is no such skill");
}

/* ---- Loading ---- */

struct walk {
    struct skills *s;
    const struct skill_place *place;
    struct skill *skill;
    size_t room, total;
    struct fault *f;
};

static void
add_file(struct walk *w, const char *path, const struct skill_seen *seen)
{
    struct skill *skill = w->skill;
    struct skill_file *file;

    if (skill->count == w->room) {
        w->room = w->room ? w->room * 2 : 32;
        skill->files = xrealloc(skill->files, w->room * sizeof *skill->files);
    }
    file = &skill->files[skill->count++];
    *file = (struct skill_file){
        .path = xstrdup(path), .title = xstrdup(seen->title), .size = seen->size};
    memcpy(file->digest, seen->digest, sizeof file->digest);
    w->total += seen->size;
}

static enum err
check_size(const struct walk *w)
{
    if (w->skill->count > SKILL_FILES_MAX) {
        return fault_set(w->f, E_TOO_LARGE, "it has more than %u files", SKILL_FILES_MAX);
    }
    if (w->total > SKILL_TOTAL_MAX) {
        return fault_set(w->f, E_TOO_LARGE, "its files have more than %u bytes", SKILL_TOTAL_MAX);
    }
    return E_OK;
}

/* True for what may be a file or folder of the skill by its path.  A gate's rules are told to
 * nobody who is to pass it. */
static bool
is_told(const struct skill_place *place, struct slice path)
{
    static const char gate[] = "gate-definition.yaml";
    size_t depth, len = sizeof gate - 1;

    if (!path_is_visible(path, SKILL_PATH_MAX, &depth) || depth > SKILL_DEPTH_MAX) {
        return false;
    }
    if (place->kind == SKILL_PACK) {
        return path.len < len || memcmp(path.data + path.len - len, gate, len) != 0;
    }
    return place->id || !depth; /* Folders of standards are skills of their own. */
}

/* Adds the file 'path' of the skill. */
static enum err
walk_file(struct walk *w, const char *path)
{
    char *whole = xasprintf("%s/%s", w->place->folder, path);
    struct skill_seen seen = {.size = 0};
    enum err err = see_file(w->s, whole, &seen, w->f);

    free(whole);
    if (err == E_NOT_FOUND || err == E_ARGUMENT) {
        return E_OK; /* It went away meanwhile. */
    }
    if (!err) {
        add_file(w, path, &seen);
        err = check_size(w);
    }
    return err;
}

/* Adds what is in the skill's folder 'relative' ("" for its own) and below it. */
static enum err
walk_folder(struct walk *w, const char *relative)
{
    bool top = !*relative;
    char *whole = xasprintf("%s%s%s", w->place->folder, top ? "" : "/", relative);
    struct dir_list list;
    enum err err = dir_list(w->s->workspace, whole, 2 * SKILL_FILES_MAX, &list, w->f);

    free(whole);
    if (err) {
        return err == E_NOT_FOUND || err == E_ARGUMENT ? E_OK : err;
    }
    for (size_t i = 0; i < list.count && !err; i++) {
        char *path = xasprintf("%s%s%s", relative, top ? "" : "/", list.entries[i].name);

        if (is_told(w->place, slice_of(path))) {
            err = list.entries[i].folder ? walk_folder(w, path) : walk_file(w, path);
        }
        free(path);
    }
    dir_list_fini(&list);
    return err;
}

static int
compare_files(const void *a, const void *b)
{
    return strcmp(((const struct skill_file *)a)->path, ((const struct skill_file *)b)->path);
}

static const struct skill_file *
find_file(const struct skill *skill, const char *path)
{
    for (size_t i = 0; i < skill->count; i++) {
        if (strcmp(skill->files[i].path, path) == 0) {
            return &skill->files[i];
        }
    }
    return NULL;
}

/* Reads the front matter of the SKILL.md that is there. */
static enum err
read_frontmatter(struct walk *w)
{
    char *path = xasprintf("%s/" SKILL_FILE, w->place->folder);
    struct buf text = BUF_INIT;
    enum err err = dir_read(w->s->workspace, path, SKILL_READ_MAX, &text, NULL, w->f);

    free(path);
    if (!err && text.failed) {
        err = fault_set(w->f, E_OVERLOAD, "there is no memory to read a skill now");
    }
    err = err ? err
              : skill_frontmatter(buf_slice(&text), w->place->name, &w->skill->frontmatter, w->f);
    buf_fini(&text);
    return err;
}

/* Makes the SKILL.md that is not there, and adds it. */
static enum err
make_manifest(struct walk *w)
{
    struct skill_seen seen = {.size = 0};
    enum err err = skill_make(w->s->workspace, w->place, w->skill, w->f);

    if (err) {
        return err;
    }
    seen.size = w->skill->text_len;
    if (!digest_of((struct slice){w->skill->text, w->skill->text_len}, seen.digest)) {
        return fault_set(w->f, E_OVERLOAD, "there is no memory to read a skill now");
    }
    add_file(w, SKILL_FILE, &seen);
    return check_size(w);
}

/* Fills 'skill' from the place. */
static enum err
fill_skill(struct skills *s, const struct skill_place *place, struct skill *skill, struct fault *f)
{
    struct walk w = {.s = s, .place = place, .skill = skill, .f = f};
    enum err err;

    skill->path = xasprintf("%s/%s", kind_names[place->kind], place->name);
    skill->name = skill->path + strlen(kind_names[place->kind]) + 1;
    err = walk_folder(&w, "");
    if (!err && skill->count) {
        qsort(skill->files, skill->count, sizeof *skill->files, compare_files);
    }
    if (!err) {
        err = find_file(skill, SKILL_FILE) ? read_frontmatter(&w) : make_manifest(&w);
    }
    if (!err) {
        qsort(skill->files, skill->count, sizeof *skill->files, compare_files);
    }
    return err;
}

enum err
skills_load(struct skills *s, struct slice path, struct skill **skill, struct fault *f)
{
    struct fault local = FAULT_INIT, *told = f ? f : &local;
    struct skill_place place;
    struct slice rest;
    enum err err = find_place(s, path, &place, &rest, told);

    *skill = NULL;
    if (!err && rest.data) {
        err = fault_set(told, E_NOT_FOUND, "this names no skill");
    }
    if (!err) {
        *skill = xcalloc(1, sizeof **skill);
        err = fill_skill(s, &place, *skill, told);
    }
    if (err) {
        if (*skill && err != E_NOT_FOUND) {
            log_warn_rl("a skill is left out", F_STR("skill", (*skill)->path),
                        F_STR("why", told->text), F_INT("line", told->line));
        }
        skill_free(*skill);
        *skill = NULL;
    }
    place_fini(&place);
    return err;
}

void
skill_free(struct skill *skill)
{
    if (skill) {
        for (size_t i = 0; i < skill->count; i++) {
            free(skill->files[i].path);
            free(skill->files[i].title);
        }
        free(skill->files);
        json_decref(skill->frontmatter);
        free(skill->text);
        free(skill->path);
        free(skill);
    }
}

/* ---- Reading ---- */

/* Appends the SKILL.md that is made. */
static enum err
read_made(struct skills *s, struct slice path, struct buf *out, struct fault *f)
{
    struct skill *skill = NULL;
    struct slice name = {path.data, path.len - sizeof SKILL_FILE};
    enum err err = skills_load(s, name, &skill, f);

    if (!err && !skill->text) {
        err = fault_set(f, E_NOT_READY, "the skill changed just now");
    } else if (!err) {
        buf_add(out, skill->text, skill->text_len);
    }
    skill_free(skill);
    return err;
}

enum err
skills_read(struct skills *s, struct slice path, struct buf *out, struct fault *f)
{
    struct skill_place place;
    struct slice rest;
    enum err err = find_place(s, path, &place, &rest, f);
    char *whole = NULL;

    if (!err && !is_told(&place, rest)) {
        err = fault_set(f, E_NOT_FOUND, "this names no file of a skill");
    }
    if (!err) {
        whole = xasprintf("%s/%.*s", place.folder, (int)rest.len, rest.data);
        err = dir_read(s->workspace, whole, SKILL_READ_MAX, out, NULL, f);
        if (err == E_ARGUMENT) { /* A link, or a folder. */
            err = fault_set(f, E_NOT_FOUND, "this names no file of a skill");
        }
        if (err == E_NOT_FOUND && slice_is(rest, SKILL_FILE)) {
            err = read_made(s, path, out, f);
        }
    }
    free(whole);
    place_fini(&place);
    return err;
}
