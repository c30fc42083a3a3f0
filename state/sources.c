/* sources.c -- from the paths that changed to what is told of them.
 *
 * What one burst changed is collected, so that each URI is published once. */
#include "state/sources.h"

#include "state/standards.h"
#include "state/uri.h"
#include "state/workflow_pack.h"

#include <stdio.h>

struct source {
    struct sources *sources;
    enum skill_kind kind;
};

struct sources {
    struct sources_options options;
    struct watch *watch;
    struct source each[SKILLS_SOURCES_MAX];
};

/* What one burst comes to. */
struct outcome {
    bool lists[CHANGE_LISTS];
    char **uris; /* Owned. */
    size_t count, room;
    bool more; /* There are others, of which nothing is known. */
};

static void
add_uri(struct outcome *o, const char *head, struct slice path)
{
    struct buf uri = BUF_INIT;

    buf_adds(&uri, head);
    uri_add_path(&uri, path);
    if (uri.failed) {
        buf_fini(&uri);
        o->more = true; /* There was no memory for it. */
        return;
    }
    if (o->count == o->room) {
        o->room = o->room ? o->room * 2 : 16;
        o->uris = xrealloc(o->uris, o->room * sizeof *o->uris);
    }
    o->uris[o->count++] = buf_steal(&uri);
}

/* Adds a file of the skill that the folder of that name is, and its SKILL.md, which may be made
 * from it. */
static void
add_skill(struct outcome *o, enum skill_kind kind, const char *folder, const char *file)
{
    char path[SKILL_PATH_SIZE];

    if (skills_path_of(kind, folder, path)) {
        char *head = xasprintf(URI_SKILL "%s/", path);

        add_uri(o, head, slice_of(file));
        add_uri(o, head, SLICE(SKILL_FILE));
        free(head);
    }
}

static void
add_pack_change(struct outcome *o, const struct watch_change *c, const char *id, const char *file)
{
    if (!file || strcmp(file, "metadata.json") == 0) {
        o->lists[CHANGE_PROMPTS] = o->lists[CHANGE_RESOURCES] = true;
    }
    if (pack_name_is_valid(id)) {
        add_uri(o, URI_PACK, slice_of(id));
    }
    if (file && !c->folder) {
        add_skill(o, SKILL_PACK, id, file);
    }
}

static void
add_skill_change(struct outcome *o, const struct watch_change *c, const char *folder,
                 const char *file)
{
    if (!file || strcmp(file, SKILL_FILE) == 0) {
        o->lists[CHANGE_RESOURCES] = true;
    }
    if (file && !c->folder) {
        add_skill(o, SKILL_PROJECT, folder, file);
    }
}

static void
add_standard_change(struct outcome *o, const struct watch_change *c, const char *folder,
                    const char *file)
{
    bool standard = !c->folder && standards_path_is_valid(slice_of(c->path));

    o->lists[CHANGE_RESOURCES] |= c->kind != WATCH_CHANGED && (c->folder || standard);
    if (standard) {
        add_uri(o, URI_STANDARD, slice_of(c->path));
    }
    if (!c->folder) {
        add_skill(o, SKILL_STANDARDS, file ? folder : NULL, file ? file : c->path);
    }
}

static void
add_change(struct outcome *o, enum skill_kind kind, const struct watch_change *c)
{
    static void (*const adds[SKILL_KINDS])(struct outcome * o, const struct watch_change *c,
                                           const char *folder, const char *file) = {
        [SKILL_PACK] = add_pack_change,
        [SKILL_PROJECT] = add_skill_change,
        [SKILL_STANDARDS] = add_standard_change,
    };
    const char *slash = strchr(c->path, '/');
    char *folder;

    if (!slash && !c->folder && kind != SKILL_STANDARDS) {
        return; /* A file beside the packs is nobody's. */
    }
    folder = xstrndup(c->path, slash ? (size_t)(slash - c->path) : strlen(c->path));
    adds[kind](o, c, folder, slash ? slash + 1 : NULL);
    free(folder);
}

static int
compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Anything of the kind may have changed. */
static void
publish_all(struct changes *changes, enum skill_kind kind)
{
    changes_publish_below(changes, URI_SKILL);
    if (kind == SKILL_PACK) {
        changes_publish_below(changes, URI_PACK);
    } else if (kind == SKILL_STANDARDS) {
        changes_publish_below(changes, URI_STANDARD);
    }
}

static void
tell(void *arg, const struct watch_news *news)
{
    const struct source *source = arg;
    const struct sources_options *options = &source->sources->options;
    struct changes *changes = options->changes;
    struct outcome o = {.more = news->more};

    if (source->kind == SKILL_STANDARDS && options->standards_changed) {
        options->standards_changed(options->arg);
    }
    for (size_t i = 0; i < news->count; i++) {
        add_change(&o, source->kind, &news->all[i]);
    }
    if (news->more) {
        o.lists[CHANGE_RESOURCES] = true;
        o.lists[CHANGE_PROMPTS] |= source->kind == SKILL_PACK;
    }
    for (enum change list = 0; list < CHANGE_LISTS; list++) {
        if (o.lists[list]) {
            changes_publish(changes, list);
        }
    }
    if (o.count) {
        qsort(o.uris, o.count, sizeof *o.uris, compare);
    }
    for (size_t i = 0; i < o.count; i++) {
        if (!o.more && (i == 0 || strcmp(o.uris[i], o.uris[i - 1]) != 0)) {
            changes_publish_resource(changes, o.uris[i]);
        }
    }
    if (o.more) {
        publish_all(changes, source->kind);
    }
    for (size_t i = 0; i < o.count; i++) {
        free(o.uris[i]);
    }
    free(o.uris);
}

struct sources *
sources_start(const struct sources_options *options, const struct skill_source *sources,
              size_t count)
{
    struct sources *s = xcalloc(1, sizeof *s);
    struct watch_options watch = WATCH_OPTIONS_INIT;

    watch.folders = options->folders;
    s->options = *options;
    s->watch = watch_create(options->keeper, &watch);
    for (size_t i = 0; i < count && i < SKILLS_SOURCES_MAX; i++) {
        s->each[i] = (struct source){s, sources[i].kind};
        watch_add(s->watch, options->workspace, sources[i].folder, tell, &s->each[i]);
    }
    return s;
}

void
sources_stop(struct sources *s)
{
    if (s) {
        watch_destroy(s->watch);
        free(s);
    }
}

void
sources_look(struct sources *s)
{
    watch_look(s->watch);
}

struct watch_counters
sources_counters(struct sources *s)
{
    return watch_counters(s->watch);
}

void
sources_tell_session(struct changes *changes, const char *session_id, bool list)
{
    char uri[sizeof URI_SESSION + 64];

    if (list) {
        changes_publish(changes, CHANGE_RESOURCES);
    }
    snprintf(uri, sizeof uri, URI_SESSION "%s", session_id);
    changes_publish_resource(changes, uri);
    snprintf(uri, sizeof uri, URI_SESSION "%s/", session_id);
    changes_publish_below(changes, uri);
}
