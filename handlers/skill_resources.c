/* skill_resources.c -- the skills extension: skills/list, skills/get, resources/directory/read; and
 * the files of skills as resources.
 *
 * What a skill is, state/skills.h says.  Here it gets its URIs and its JSON.  A manifest is told as
 * the files are now; a client that reads a file later compares the digest. */
#include "handlers/skill_resources.h"

#include "handlers/era.h"
#include "handlers/methods.h"
#include "state/base/json_put.h"
#include "state/base/rune.h"
#include "state/state.h"

/* Skills of a page: each may list SKILL_FILES_MAX files. */
#define SKILLS_PAGE 20u

static const char directory_mime[] = "inode/directory";

const char *
skill_resource_mime(struct slice path)
{
    static const struct {
        const char *end, *mime;
    } types[] = {
        {".md", "text/markdown"},     {".json", "application/json"}, {".yaml", "application/yaml"},
        {".yml", "application/yaml"}, {".txt", "text/plain"},        {".py", "text/x-python"},
        {".sh", "application/x-sh"},  {".html", "text/html"},        {".csv", "text/csv"},
        {".png", "image/png"},        {".jpg", "image/jpeg"},        {".svg", "image/svg+xml"},
        {".pdf", "application/pdf"},
    };

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        size_t len = strlen(types[i].end);

        if (path.len > len && memcmp(path.data + path.len - len, types[i].end, len) == 0) {
            return types[i].mime;
        }
    }
    return "application/octet-stream";
}

/* ---- URIs ---- */

static void
put_uri(json_t *object, const char *skill, const char *file)
{
    struct buf uri = BUF_INIT;

    buf_adds(&uri, URI_SKILL);
    buf_adds(&uri, skill);
    if (file) {
        buf_addc(&uri, '/');
        uri_add_path(&uri, slice_of(file));
    }
    json_put(object, "uri", json_text_of(&uri));
}

/* Takes the path out of a URI; false if it is no URI of ours. */
static bool
path_of(struct slice uri, struct buf *path)
{
    size_t len = strlen(URI_SKILL);

    return uri.len > len && memcmp(uri.data, URI_SKILL, len) == 0 &&
           offers_decode_path((struct slice){uri.data + len, uri.len - len}, path) && path->len;
}

/* The same of a SKILL.md: the skill's path is what comes before it. */
static bool
skill_path_of(struct slice uri, struct buf *path)
{
    static const char end[] = "/" SKILL_FILE;
    size_t len = sizeof end - 1;

    if (!path_of(uri, path) || path->len <= len ||
        memcmp(path->data + path->len - len, end, len) != 0) {
        return false;
    }
    path->len -= len;
    path->data[path->len] = '\0';
    return true;
}

/* ---- Skills ---- */

/* {uri, frontmatter, resources}. */
static json_t *
describe_skill(const struct skill *skill)
{
    json_t *entry = json_must(json_object()), *files = json_must(json_array());

    put_uri(entry, skill->path, SKILL_FILE);
    json_put(entry, "frontmatter", json_incref(skill->frontmatter));
    for (size_t i = 0; i < skill->count; i++) {
        json_t *file = json_must(json_object());
        char *digest = xasprintf("sha256:%s", skill->files[i].digest);

        put_uri(file, skill->path, skill->files[i].path);
        json_put_text(file, "digest", digest);
        json_put_int(file, "size", (int64_t)skill->files[i].size);
        json_add(files, file);
        free(digest);
    }
    json_put(entry, "resources", files);
    return entry;
}

/* The skill whose SKILL.md 'uri' is, new.  E_NOT_FOUND for what is none. */
static enum err
load(const struct request *req, struct slice uri, struct skill **skill, struct fault *f)
{
    struct buf path = {.limit = OFFERS_URI_MAX};
    enum err err = skill_path_of(uri, &path)
                       ? skills_load(state_skills(req->state), buf_slice(&path), skill, f)
                       : fault_set(f, E_NOT_FOUND, "this is not the URI of a " SKILL_FILE);

    buf_fini(&path);
    return err;
}

enum err
skill_resources_add(struct request *req, struct offers *o)
{
    struct skill_paths paths;
    enum err err = skills_find(state_skills(req->state), &paths, &req->fault);

    for (size_t i = 0; i < paths.count; i++) {
        char *uri = xasprintf(URI_SKILL "%s/" SKILL_FILE, paths.paths[i]);

        offers_add(o, uri, NULL);
        free(uri);
    }
    skill_paths_fini(&paths);
    return err;
}

enum err
skills_list(struct request *req)
{
    struct offers o = {.all = NULL};
    size_t first = 0, end = 0;
    enum err err = skill_resources_add(req, &o);

    err = err ? err : offers_find_page(req, &o, SKILLS_PAGE, &first, &end);
    for (size_t i = first; !err && i < end; i++) {
        struct skill *skill = NULL;

        if (load(req, slice_of(o.all[i].key), &skill, NULL) == E_OK) {
            o.all[i].value = describe_skill(skill);
        }
        skill_free(skill);
    }
    if (!err) {
        offers_write(req, "skills", &o, first, end);
        era_add_cache(req, OFFERS_TTL_MS, true);
    }
    offers_fini(&o);
    return err;
}

static enum err
no_skill(struct request *req, struct slice uri, const char *what)
{
    offers_tell_uri(req, uri);
    fault_set(&req->fault, E_PARAMS, "%s '%.*s'", what, (int)rune_cut(uri, 256), uri.data);
    return fault_remedy(&req->fault, "skills/list names the skills there are");
}

enum err
skills_get(struct request *req)
{
    struct buf uri = {.limit = OFFERS_URI_MAX};
    struct skill *skill = NULL;
    json_t *entry;
    enum err err = offers_read_uri(req, &uri, &req->fault);

    if (!err) {
        err = load(req, buf_slice(&uri), &skill, &req->fault);
        if (err == E_NOT_FOUND) {
            err = no_skill(req, buf_slice(&uri), "there is no skill");
        }
    }
    if (!err) {
        entry = describe_skill(skill);
        request_add_json(req, "skill", entry);
        json_decref(entry);
        era_add_cache(req, OFFERS_TTL_MS, true);
    }
    skill_free(skill);
    buf_fini(&uri);
    return err;
}

/* ---- Resources ---- */

static const char *
frontmatter_text(const struct skill *skill, const char *key)
{
    return json_string_value(json_object_get(skill->frontmatter, key));
}

/* A SKILL.md. */
static json_t *
describe_manifest(const struct skill *skill)
{
    json_t *entry = json_must(json_object());

    put_uri(entry, skill->path, SKILL_FILE);
    json_put_text(entry, "name", frontmatter_text(skill, "name"));
    json_put_text(entry, "description", frontmatter_text(skill, "description"));
    json_put_text(entry, "mimeType", "text/markdown");
    return entry;
}

json_t *
skill_resource(const struct request *req, const char *uri)
{
    struct skill *skill = NULL;
    json_t *entry = NULL;

    if (load(req, slice_of(uri), &skill, NULL) == E_OK) {
        entry = describe_manifest(skill);
    }
    skill_free(skill);
    return entry;
}

enum err
skill_resource_read(struct request *req, struct slice path, struct buf *out, struct fault *f)
{
    struct buf decoded = {.limit = OFFERS_URI_MAX};
    enum err err = offers_decode_path(path, &decoded)
                       ? skills_read(state_skills(req->state), buf_slice(&decoded), out, f)
                       : fault_set(f, E_NOT_FOUND, "this names no file of a skill");

    buf_fini(&decoded);
    return err;
}

/* ---- Directories ---- */

/* A file or folder; 'path' is relative to the skill, null for its own folder. */
static json_t *
describe_child(const struct skill *skill, const char *path, const struct skill_file *file)
{
    const char *slash = path ? strrchr(path, '/') : NULL;
    json_t *entry = json_must(json_object());

    put_uri(entry, skill->path, path);
    json_put_text(entry, "name", slash ? slash + 1 : path ? path : skill->name);
    if (!path) {
        json_put_text(entry, "description", frontmatter_text(skill, "description"));
    } else if (file && *file->title) {
        json_put_text(entry, "title", file->title);
    }
    json_put_text(entry, "mimeType", file ? skill_resource_mime(slice_of(path)) : directory_mime);
    if (file) {
        json_put_int(entry, "size", (int64_t)file->size);
    }
    return entry;
}

/* Adds the child of 'folder' ("" for the skill's own) in which 'file' is, unless it was the last
 * one. */
static void
add_child(struct offers *o, const struct skill *skill, const char *folder,
          const struct skill_file *file)
{
    size_t len = strlen(folder);
    const char *below = file->path + len + (len ? 1 : 0), *slash;
    char *path;

    if (strncmp(file->path, folder, len) != 0 || (len && file->path[len] != '/')) {
        return;
    }
    slash = strchr(below, '/');
    path = slash ? xstrndup(file->path, (size_t)(slash - file->path)) : xstrdup(file->path);
    if (!slash && strcmp(path, SKILL_FILE) == 0) {
        offers_add(o, path, describe_manifest(skill));
    } else if (!slash || !o->count || strcmp(o->all[o->count - 1].key, path) != 0) {
        offers_add(o, path, describe_child(skill, path, slash ? NULL : file));
    }
    free(path);
}

/* Splits what names a folder of a skill into the skill's path, at 'path', and the folder's. */
static const char *
split_folder(char *path)
{
    char *name = strchr(path, '/'), *folder = name ? strchr(name + 1, '/') : NULL;

    if (folder) {
        *folder = '\0';
    }
    return folder ? folder + 1 : "";
}

/* Adds the skills of the kind 'kind'. */
static enum err
add_skills(struct request *req, const char *kind, struct offers *o)
{
    struct skills *s = state_skills(req->state);
    struct skill_paths paths;
    size_t len = strlen(kind);
    enum err err = skills_find(s, &paths, &req->fault);

    for (size_t i = 0; i < paths.count; i++) {
        struct skill *skill = NULL;

        if (strncmp(paths.paths[i], kind, len) == 0 && paths.paths[i][len] == '/' &&
            skills_load(s, slice_of(paths.paths[i]), &skill, NULL) == E_OK) {
            offers_add(o, skill->name, describe_child(skill, NULL, NULL));
        }
        skill_free(skill);
    }
    skill_paths_fini(&paths);
    return err;
}

/* Adds the children of the folder 'path'; none if it is no folder.  Changes 'path'. */
static enum err
add_children(struct request *req, char *path, struct offers *o)
{
    struct skill *skill = NULL;
    const char *folder;
    enum err err;

    if (!strchr(path, '/')) {
        return add_skills(req, path, o);
    }
    folder = split_folder(path);
    err = skills_load(state_skills(req->state), slice_of(path), &skill, &req->fault);
    for (size_t i = 0; !err && i < skill->count; i++) {
        add_child(o, skill, folder, &skill->files[i]);
    }
    skill_free(skill);
    return err == E_NOT_FOUND ? E_OK : err;
}

enum err
resources_directory_read(struct request *req)
{
    struct buf uri = {.limit = OFFERS_URI_MAX}, path = {.limit = OFFERS_URI_MAX};
    struct offers o = {.all = NULL};
    enum err err = offers_read_uri(req, &uri, &req->fault);

    if (!err && path_of(buf_slice(&uri), &path) && !memchr(path.data, '\0', path.len)) {
        if (path.data[path.len - 1] == '/') {
            path.data[--path.len] = '\0';
        }
        if (path.len && path.data[path.len - 1] != '/') {
            err = add_children(req, path.data, &o);
        }
    }
    if (!err && !o.count) {
        err = no_skill(req, buf_slice(&uri), "this is no directory of a skill:");
    }
    err = err ? err : offers_write_page(req, "resources", &o);
    if (!err) {
        era_add_cache(req, OFFERS_TTL_MS, true);
    }
    offers_fini(&o);
    buf_fini(&path);
    buf_fini(&uri);
    return err;
}
