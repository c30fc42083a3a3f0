/* skills_load.c -- puts a skill together: its files, and the SKILL.md that is there or is made. */
#include "state/skills_private.h"

#include "state/base/log.h"

LOG_MODULE("skills");

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
    enum err err = skills_see(w->s, whole, &seen, w->f);

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
    if (!skill_digest_of((struct slice){w->skill->text, w->skill->text_len}, seen.digest)) {
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

    skill->path = xasprintf("%s/%s", skill_kind_names[place->kind], place->name);
    skill->name = skill->path + strlen(skill_kind_names[place->kind]) + 1;
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
    enum err err = skills_find_place(s, path, &place, &rest, told);

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
    skill_place_fini(&place);
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
    enum err err = skills_find_place(s, path, &place, &rest, f);
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
    skill_place_fini(&place);
    return err;
}
