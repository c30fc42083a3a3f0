/* workflow_content_gate.c -- see workflow_content.h: which gate a phase has, and in which version.
 *
 * A pack's own phase: its gate file; else derived from phase.md and metadata.  A phase of a source:
 * what a definition says of it; else the gate file for all dynamic phases; else derived from the
 * source's list. */
#include "state/workflow_content_private.h"

#include <stdio.h>
#include <sys/stat.h>

/* Where the gate of a phase comes from. */
enum origin { ORIGIN_FILE, ORIGIN_DEFINITION, ORIGIN_DERIVED };

struct found {
    enum origin origin;
    int file_phase;                /* As pack_gate_file() takes it. */
    struct file_identity identity; /* Of the gate file. */
    const struct wf_phase *made;   /* Null for a pack's own phase. */
};

static enum err
find_gate(const struct wf_content *content, int phase, struct found *found, struct fault *f)
{
    enum err err;

    *found = (struct found){.made = content_source_phase(content, phase)};
    if (!wf_content_has_phase(content, phase)) {
        return content_no_phase(content, phase, f);
    }
    if (found->made && found->made->gate_node) {
        found->origin = ORIGIN_DEFINITION;
        return E_OK;
    }
    found->file_phase = found->made ? -1 : phase;
    err = pack_gate_identity(content->frame->pack, found->file_phase, &found->identity, f);
    if (err == E_NOT_FOUND) {
        found->origin = ORIGIN_DERIVED;
        return E_OK;
    }
    /* Something is there: whatever keeps it from being read must not open the gate. */
    return err == E_ARGUMENT ? fault_set(f, E_REFUSED, "gate unusable: it is no regular file")
                             : err;
}

static void
write_identity(char *out, size_t size, const char *prefix, const struct file_identity *id)
{
    size_t len = strlen(out);

    snprintf(out + len, size - len, "%s%llx.%llx.%lld.%lld", prefix, (unsigned long long)id->device,
             (unsigned long long)id->inode, (long long)id->size, (long long)id->mtime_ns);
}

enum err
wf_content_gate_ref(const struct wf_content *content, int phase, struct wf_gate_ref *ref,
                    struct fault *f)
{
    const struct frame *frame = content->frame;
    struct file_identity text = {.size = 0};
    struct found found;
    struct stat folder;
    char where[48] = "";
    enum err err = find_gate(content, phase, &found, f);

    *ref = (struct wf_gate_ref){.key = ""};
    if (err) {
        return err;
    }
    /* Two roots may hold packs of one name: the folder itself tells them apart. */
    if (fstat(dir_fd(pack_dir(frame->pack)), &folder) == 0) {
        snprintf(where, sizeof where, "%llx.%llx", (unsigned long long)folder.st_dev,
                 (unsigned long long)folder.st_ino);
    }
    if (found.origin == ORIGIN_FILE && found.made) {
        snprintf(ref->key, sizeof ref->key, "%s/%s/dynamic", where, pack_id(frame->pack));
    } else if (found.made) {
        snprintf(ref->key, sizeof ref->key, "%s/%s/%d/%s", where, pack_id(frame->pack), phase,
                 frame->source_digest);
    } else {
        snprintf(ref->key, sizeof ref->key, "%s/%s/%d", where, pack_id(frame->pack), phase);
    }
    if (found.origin == ORIGIN_FILE) {
        write_identity(ref->version, sizeof ref->version, "file ", &found.identity);
    } else if (found.made) {
        snprintf(ref->version, sizeof ref->version, "source");
    } else {
        (void)dir_identity(pack_dir(frame->pack), pack_phase(frame->pack, phase)->file, &text,
                           NULL);
        write_identity(ref->version, sizeof ref->version, "phase ", &text);
        write_identity(ref->version, sizeof ref->version, " metadata ",
                       pack_metadata_identity(frame->pack));
    }
    return E_OK;
}

/* A file that cannot be read makes the gate unusable; what mends the one mends the other.  If it
 * is the machine that fails, nothing is known of the gate, and nothing to be noted of the attempt.
 */
static enum err
unusable(const struct fault *why, struct fault *f)
{
    bool machine = why->code == E_IO || why->code == E_OVERLOAD;

    fault_set(f, machine ? why->code : E_REFUSED, "gate unusable: %s", why->text);
    return fault_remedy(f, "%s", fault_next_step(why));
}

static enum err
gate_from_file(const struct wf_content *content, int phase, struct gate **gate,
               struct problems *problems, struct fault *f)
{
    char file[PACK_GATE_FILE_MAX];
    struct buf text = BUF_INIT;
    struct fault local = FAULT_INIT;
    enum err err;

    pack_gate_file(phase, file);
    err = pack_read_file(content->frame->pack, file, &text, NULL, &local);
    if (err) {
        err = unusable(&local, f);
    } else {
        err = gate_parse(buf_slice(&text), file, gate, problems, f);
    }
    buf_fini(&text);
    return err;
}

static enum err
derive_from_list(const struct wf_phase *phase, const char *file, struct gate **gate,
                 struct problems *problems, struct fault *f)
{
    const char **texts = xcalloc(phase->gate_count, sizeof *texts);
    struct gate_hints hints = {
        .criteria = texts, .criteria_count = phase->gate_count, .file = file};
    enum err err;

    for (size_t i = 0; i < phase->gate_count; i++) {
        texts[i] = phase->gate[i].text;
    }
    err = gate_derive(&hints, gate, problems, f);
    free(texts);
    return err;
}

static enum err
derive_from_phase(const struct pack *pack, const struct pack_phase *phase, struct gate **gate,
                  struct problems *problems, struct fault *f)
{
    struct buf text = BUF_INIT;
    struct gate_hints hints = {.checkpoint = json_object_get(phase->metadata, "checkpoint"),
                               .file = phase->file};
    struct fault local = FAULT_INIT;
    enum err err = pack_read_phase(pack, phase, &text, NULL, &local);

    if (err && err != E_NOT_FOUND) {
        err = unusable(&local, f);
    } else {
        hints.phase_md = buf_slice(&text);
        err = gate_derive(&hints, gate, problems, f);
    }
    buf_fini(&text);
    return err;
}

enum err
wf_content_gate(const struct wf_content *content, int phase, struct gate **gate,
                struct problems *problems, struct fault *f)
{
    const struct frame *frame = content->frame;
    struct found found;
    enum err err = find_gate(content, phase, &found, f);

    *gate = NULL;
    if (err) {
        return err;
    }
    switch (found.origin) {
    case ORIGIN_FILE:
        return gate_from_file(content, found.file_phase, gate, problems, f);
    case ORIGIN_DEFINITION:
        return gate_from_definition(found.made->gate_node, frame->source_path, gate, problems, f);
    case ORIGIN_DERIVED:
    default:
        return found.made ? derive_from_list(found.made, frame->source_path, gate, problems, f)
                          : derive_from_phase(frame->pack, pack_phase(frame->pack, phase), gate,
                                              problems, f);
    }
}

enum err
content_check_gates(const struct wf_content *content, struct problems *problems, struct fault *f)
{
    enum err err = E_OK;

    for (size_t i = 0; !err && i < content->source->phase_count; i++) {
        const struct wf_phase *phase = &content->source->phases[i];
        struct gate *gate = NULL;

        if (phase->gate_node) {
            err = gate_from_definition(phase->gate_node, content->frame->source_path, &gate,
                                       problems, f);
        }
        gate_unref(gate);
    }
    return err;
}
