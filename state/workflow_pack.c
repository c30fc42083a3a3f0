/* workflow_pack.c -- see workflow_pack.h.  Here: what a pack is asked, and reading its files. */
#include "state/workflow_pack.h"

#include "state/base/rune.h"
#include "state/workflow_pack_private.h"

#include <openssl/evp.h>
#include <stdio.h>

#define RETRIES 8 /* Readings of a metadata.json that changes all the time. */
#define DIGEST_DEPTH 6u
#define DIGEST_BYTES_MAX (64u * 1024 * 1024)

bool
pack_name_is_valid(const char *name)
{
    size_t len = name ? strnlen(name, PACK_NAME_MAX + 1) : 0;

    if (len == 0 || len > PACK_NAME_MAX) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        char c = name[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '-')) {
            return false;
        }
    }
    return true;
}

bool
pack_path_is_safe(const char *path)
{
    size_t len;

    if (strchr(path, '\\') || strlen(path) >= PACK_PATH_MAX) {
        return false;
    }
    do {
        len = strcspn(path, "/");
        if (len == 0 || (len == 2 && path[0] == '.' && path[1] == '.')) {
            return false;
        }
        path += len + (path[len] == '/');
    } while (*path);
    return true;
}

struct pack *
pack_ref(struct pack *pack)
{
    atomic_fetch_add_explicit(&pack->refs, 1, memory_order_relaxed);
    return pack;
}

void
pack_unref(struct pack *pack)
{
    if (pack && atomic_fetch_sub_explicit(&pack->refs, 1, memory_order_acq_rel) == 1) {
        dir_unref(pack->dir);
        json_decref(pack->metadata);
        problems_fini(&pack->warnings);
        arena_fini(&pack->arena);
        free(pack);
    }
}

const char *
pack_id(const struct pack *pack)
{
    return pack->id;
}

const char *
pack_type(const struct pack *pack)
{
    return pack->type;
}

const char *
pack_version(const struct pack *pack)
{
    return pack->version;
}

const char *
pack_title(const struct pack *pack)
{
    return pack->title;
}

const char *
pack_description(const struct pack *pack)
{
    return pack->description;
}

const json_t *
pack_metadata(const struct pack *pack)
{
    return pack->metadata;
}

struct dir *
pack_dir(const struct pack *pack)
{
    return pack->dir;
}

const struct file_identity *
pack_metadata_identity(const struct pack *pack)
{
    return &pack->identity;
}

const struct problems *
pack_warnings(const struct pack *pack)
{
    return &pack->warnings;
}

size_t
pack_phase_count(const struct pack *pack)
{
    return pack->phase_count;
}

const struct pack_phase *
pack_phase_at(const struct pack *pack, size_t i)
{
    return i < pack->phase_count ? &pack->phases[i] : NULL;
}

const struct pack_phase *
pack_phase(const struct pack *pack, int number)
{
    for (size_t i = 0; i < pack->phase_count; i++) {
        if (pack->phases[i].number == number) {
            return &pack->phases[i];
        }
    }
    return NULL;
}

const struct pack_task *
pack_phase_task(const struct pack_phase *phase, int number)
{
    for (size_t i = 0; i < phase->task_count; i++) {
        if (phase->tasks[i].number == number) {
            return &phase->tasks[i];
        }
    }
    return NULL;
}

const struct pack_dynamic *
pack_dynamic(const struct pack *pack)
{
    return pack->is_dynamic ? &pack->dynamic : NULL;
}

/* Parses 'text' as a JSON object. */
static enum err
parse_metadata(struct slice text, const char *id, json_t **root, struct fault *f)
{
    json_error_t error;

    if (text.len > 0 && memchr(text.data, '\0', text.len)) {
        return fault_set(f, E_REFUSED, "%s/%s holds a NUL", id, PACK_METADATA);
    }
    if (text.len >= 3 && memcmp(text.data, "\xEF\xBB\xBF", 3) == 0) {
        text.data += 3;
        text.len -= 3;
    }
    *root = json_loadb(text.data ? text.data : "", text.len,
                       JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (!*root) {
        (void)fault_at(f, E_REFUSED, error.line > 0 ? (unsigned)error.line : 0,
                       error.column > 0 ? (unsigned)error.column : 0,
                       "%s/%s is not valid JSON: %s, line %d, column %d", id, PACK_METADATA,
                       error.text, error.line, error.column);
        return fault_remedy(f, "mend the file; nothing is assumed in its place");
    }
    if (!json_is_object(*root)) {
        json_decref(*root);
        *root = NULL;
        return fault_at(f, E_REFUSED, 1, 1, "%s/%s must hold a JSON object", id, PACK_METADATA);
    }
    return E_OK;
}

enum err
pack_read_metadata(const struct dir *dir, const char *id, json_t **root, struct buf *text,
                   struct file_identity *identity, struct fault *f)
{
    struct buf own = BUF_INIT;
    struct buf *out = text ? text : &own;
    struct file_identity before = {.size = 0};
    enum err err = E_OK;

    *root = NULL;
    for (int try = 0; try < RETRIES; try++) {
        struct file_identity after;

        json_decref(*root);
        *root = NULL;
        buf_reset(out);
        err = dir_read(dir, PACK_METADATA, PACK_METADATA_MAX, out, &before, f);
        if (err == E_NOT_FOUND) {
            (void)fault_set(f, E_NOT_FOUND, "workflow '%s' has no %s", id, PACK_METADATA);
            break;
        }
        if (!err) {
            err = parse_metadata(buf_slice(out), id, root, f);
        }
        /* Written in place while it was read?  Then half of it may be old. */
        if (dir_identity(dir, PACK_METADATA, &after, NULL) == E_OK &&
            file_identity_equal(&before, &after)) {
            break;
        }
    }
    if (identity) {
        *identity = before;
    }
    buf_fini(&own);
    return err;
}

enum err
pack_read_file(const struct pack *pack, const char *file, struct buf *out,
               struct file_identity *identity, struct fault *f)
{
    size_t begin = out->len;
    enum err err;

    if (!pack_path_is_safe(file)) {
        return fault_set(f, E_REFUSED, "a path of workflow '%s' leaves its folder", pack->id);
    }
    err = dir_read(pack->dir, file, PACK_TEXT_MAX, out, identity, f);
    if (err == E_NOT_FOUND) {
        (void)fault_set(f, E_NOT_FOUND, "workflow '%s' has no file %s", pack->id, file);
        return fault_remedy(f, "restore the file, or take it out of %s", PACK_METADATA);
    }
    if (err) {
        return err;
    }
    if (!rune_valid((struct slice){out->data + begin, out->len - begin}) ||
        (out->len > begin && memchr(out->data + begin, '\0', out->len - begin))) {
        return fault_set(f, E_REFUSED, "file %s of workflow '%s' is not UTF-8 text", file,
                         pack->id);
    }
    return E_OK;
}

enum err
pack_read_phase(const struct pack *pack, const struct pack_phase *phase, struct buf *out,
                struct file_identity *identity, struct fault *f)
{
    return pack_read_file(pack, phase->file, out, identity, f);
}

enum err
pack_read_task(const struct pack *pack, const struct pack_task *task, struct buf *out,
               struct file_identity *identity, struct fault *f)
{
    return pack_read_file(pack, task->file, out, identity, f);
}

void
pack_gate_file(int phase, char out[PACK_GATE_FILE_MAX])
{
    if (phase < 0) {
        snprintf(out, PACK_GATE_FILE_MAX, "phases/dynamic/gate-definition.yaml");
    } else {
        snprintf(out, PACK_GATE_FILE_MAX, "phases/%d/gate-definition.yaml", phase);
    }
}

enum err
pack_gate_identity(const struct pack *pack, int phase, struct file_identity *identity,
                   struct fault *f)
{
    char file[PACK_GATE_FILE_MAX];

    pack_gate_file(phase, file);
    return dir_identity(pack->dir, file, identity, f);
}

struct digest {
    EVP_MD_CTX *md;
    const struct pack *pack;
    struct buf data;
    size_t bytes;
};

static void
digest_number(struct digest *d, uint64_t n)
{
    unsigned char bytes[8];

    for (size_t i = 0; i < 8; i++) {
        bytes[i] = (unsigned char)(n >> (8 * i));
    }
    EVP_DigestUpdate(d->md, bytes, sizeof bytes);
}

/* Adds one file: its path, and its content, or its identity if it is no text that tandem would
 * read. */
static enum err
digest_file(struct digest *d, const char *path, struct fault *f)
{
    struct file_identity identity = {.size = 0};
    enum err err;

    buf_reset(&d->data);
    err = dir_read(d->pack->dir, path, PACK_TEXT_MAX, &d->data, &identity, f);
    EVP_DigestUpdate(d->md, path, strlen(path) + 1);
    if (err == E_TOO_LARGE && dir_identity(d->pack->dir, path, &identity, f) == E_OK) {
        digest_number(d, (uint64_t)identity.size);
        digest_number(d, (uint64_t)identity.mtime_ns);
        return E_OK;
    }
    if (err == E_NOT_FOUND || err == E_ARGUMENT) {
        return E_OK; /* Removed meanwhile, or a link. */
    }
    digest_number(d, d->data.len);
    EVP_DigestUpdate(d->md, d->data.data ? d->data.data : "", d->data.len);
    d->bytes += d->data.len;
    if (!err && d->bytes > DIGEST_BYTES_MAX) {
        err = fault_set(f, E_TOO_LARGE, "the files of workflow '%s' have more than %u bytes",
                        d->pack->id, DIGEST_BYTES_MAX);
    }
    return err;
}

/* Adds the folder 'path', in the order of names.  As deep as packs are; deeper folders do not
 * count. */
static enum err
digest_folder(struct digest *d, const char *path, unsigned depth, struct fault *f)
{
    struct dir_list list;
    enum err err = dir_list(d->pack->dir, path, PACK_ENTRIES_MAX, &list, f);

    if (err) {
        return err == E_NOT_FOUND ? E_OK : err;
    }
    for (size_t i = 0; !err && i < list.count; i++) {
        const char *name = list.entries[i].name;
        char *child = strcmp(path, ".") == 0 ? xstrdup(name) : xasprintf("%s/%s", path, name);

        if (!list.entries[i].folder) {
            err = digest_file(d, child, f);
        } else if (depth < DIGEST_DEPTH) {
            err = digest_folder(d, child, depth + 1, f);
        }
        free(child);
    }
    dir_list_fini(&list);
    return err;
}

enum err
pack_digest(const struct pack *pack, char out[PACK_DIGEST_MAX], struct fault *f)
{
    struct digest d = {.md = EVP_MD_CTX_new(), .pack = pack, .data = BUF_INIT};
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    enum err err = E_LIMIT;

    out[0] = '\0';
    if (d.md && EVP_DigestInit_ex(d.md, EVP_sha256(), NULL)) {
        err = digest_folder(&d, ".", 0, f);
    } else {
        (void)fault_set(f, E_OVERLOAD, "no memory for a digest");
    }
    if (!err) {
        EVP_DigestFinal_ex(d.md, sum, &len);
        for (unsigned i = 0; i < len && 2 * i + 2 < PACK_DIGEST_MAX; i++) {
            snprintf(out + 2 * i, 3, "%02x", sum[i]);
        }
    }
    EVP_MD_CTX_free(d.md);
    buf_fini(&d.data);
    return err;
}
