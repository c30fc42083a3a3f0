/* workflow_pack.h -- packs: the folders that say what a workflow is.
 *
 * A struct pack is what metadata.json and the folders of one pack said at one moment: immutable and
 * counted.  Nothing is cached: each start and each listing reads the files again, so an edit is
 * seen by the next call.  Texts of phases and tasks are read when they are asked for.  Real packs
 * differ from their own model in many ways; what is missing becomes a default and a warning, but
 * broken JSON is refused with its place: a pack is never invented.
 *
 * Packs live in the folders of one or more roots (".tandem/workflows", ".praxis-os/workflows"); of
 * two packs with one name the first root's counts.  Any thread; no locks. */
#ifndef TANDEM_WORKFLOW_PACK_H
#define TANDEM_WORKFLOW_PACK_H

#include "state/base/err.h"
#include "state/base/file.h"
#include "state/base/mem.h"
#include "state/base/problems.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define PACK_METADATA_MAX (256u * 1024) /* Bytes of metadata.json. */
#define PACK_TEXT_MAX (1024u * 1024)    /* Bytes of a phase, task, template or gate file. */
#define PACK_NAME_MAX 64u               /* Bytes of a pack's id. */
#define PACKS_MAX 500u                  /* Folders in a root that are looked at. */
#define PACK_PHASES_MAX 200u
#define PACK_TASKS_MAX 200u /* In a phase. */
#define PACK_NUMBER_MAX 9999

struct pack;

/* The folders that hold packs, in order of precedence; borrowed. */
struct pack_roots {
    struct dir *const *dirs;
    size_t count;
};

struct pack_task {
    int number; /* Unique in its phase; 0 is valid. */
    const char *name;
    const char *file;    /* Relative to the pack. */
    const char *purpose; /* May be empty. */
    bool listed;         /* In metadata; else found in the folder. */
    bool missing;        /* Listed, but not there. */
};

struct pack_phase {
    int number;
    const char *name;
    const char *purpose, *effort; /* May be empty. */
    const char *file;             /* Of its text, relative to the pack. */
    bool folder;                  /* phases/<number> exists: it is offered as it is. */
    const json_t *metadata;       /* Its entry; null if it is only a folder. */
    const struct pack_task
        *tasks; /* Listed ones in the order of the list, then the others by number. */
    size_t task_count;
};

enum pack_parser { PACK_PARSE_TASKS, PACK_PARSE_DEFINITION };

struct pack_dynamic {
    const char *source_type;
    const char *source_path_key;                /* The start option that names the source. */
    const char *phase_template, *task_template; /* Relative to the pack. */
    enum pack_parser parser;
};

/* True for what may be the name of a pack: letters, digits, '_' and '-', at most PACK_NAME_MAX. */
bool pack_name_is_valid(const char *name);

/* True for a path that stays beneath where it starts: relative, no "..", no empty part. */
bool pack_path_is_safe(const char *path);

/* All packs as a new array in '*workflows', by id: each is its metadata as written, with 'id' (the
 * folder's name) and 'warnings' added.  With 'category' (may be null) only those whose category is
 * that or whose tags have it.  What cannot be used is left out and told in 'problems' (may be
 * null). E_OK, E_IO, E_LIMIT. */
enum err pack_list(const struct pack_roots *roots, const char *category, json_t **workflows,
                   struct problems *problems, struct fault *f);

/* Loads the pack 'name': a folder's name, or the workflow_type of exactly one pack.  New reference
 * in
 * '*pack'.  E_ARGUMENT if it is no name, or the type of several; E_NOT_FOUND, with the nearest
 * names; E_REFUSED, with line and column, if its metadata is broken; E_TOO_LARGE; E_IO. */
enum err pack_load(const struct pack_roots *roots, const char *name, struct pack **pack,
                   struct fault *f);
struct pack *pack_ref(struct pack *pack);
/* Null is ignored. */
void pack_unref(struct pack *pack);

/* All below is borrowed from the pack. */
const char *pack_id(const struct pack *pack);
const char *pack_type(const struct pack *pack);    /* workflow_type, or the id. */
const char *pack_version(const struct pack *pack); /* "unversioned" if it has none. */
const char *pack_title(const struct pack *pack);
const char *pack_description(const struct pack *pack); /* May be empty. */
const json_t *pack_metadata(const struct pack *pack);
struct dir *pack_dir(const struct pack *pack);
/* Which version of metadata.json this is. */
const struct file_identity *pack_metadata_identity(const struct pack *pack);
/* What is amiss but does not keep the pack from being used. */
const struct problems *pack_warnings(const struct pack *pack);
/* Phases by number: the union of metadata and folders.  One that has no folder is there too, with
 * 'folder' false: only a dynamic source can fill it. */
size_t pack_phase_count(const struct pack *pack);
const struct pack_phase *pack_phase_at(const struct pack *pack, size_t i);
/* The phase of that number, or null. */
const struct pack_phase *pack_phase(const struct pack *pack, int number);
const struct pack_task *pack_phase_task(const struct pack_phase *phase, int number);
/* How phases are made from a source, or null for a static pack. */
const struct pack_dynamic *pack_dynamic(const struct pack *pack);

/* The normalised metadata, a new object: workflow_type, id, version, name, description,
 * total_phases (a number, or "dynamic"), estimated_duration, primary_outputs, dynamic_phases,
 * phases with their tasks, whatever else the file holds, and 'warnings' [text].  Null without
 * memory. */
json_t *pack_overview(const struct pack *pack);

/* The texts of 'problems', each with its file and line, as a new array; null without memory. */
json_t *pack_warning_texts(const struct problems *problems);

/* Appends the text of a phase or task to 'out', read from disk now, and tells the identity of its
 * file (may be null).  E_NOT_FOUND names the file; E_REFUSED if it is not UTF-8; E_TOO_LARGE; E_IO.
 */
enum err pack_read_phase(const struct pack *pack, const struct pack_phase *phase, struct buf *out,
                         struct file_identity *identity, struct fault *f);
enum err pack_read_task(const struct pack *pack, const struct pack_task *task, struct buf *out,
                        struct file_identity *identity, struct fault *f);
/* The same for any file of the pack. */
enum err pack_read_file(const struct pack *pack, const char *file, struct buf *out,
                        struct file_identity *identity, struct fault *f);

#define PACK_GATE_FILE_MAX 64u
/* The path of a phase's gate file, or, for -1, of the one for all dynamic phases. */
void pack_gate_file(int phase, char out[PACK_GATE_FILE_MAX]);
/* The identity of that gate file.  E_NOT_FOUND if the phase has none; E_IO. */
enum err pack_gate_identity(const struct pack *pack, int phase, struct file_identity *identity,
                            struct fault *f);

#define PACK_DIGEST_MAX 65u
/* SHA-256, in hexadecimal, over names and contents of the pack's files as they are now. */
enum err pack_digest(const struct pack *pack, char out[PACK_DIGEST_MAX], struct fault *f);

/* For "tandem check": adds everything that is wrong with the pack in 'dir', called 'id', to
 * 'problems': metadata, files that are missing or in nobody's list, gate files, templates,
 * definitions.  E_OK even if there are problems; E_IO if the folder cannot be read. */
enum err pack_check(struct dir *dir, const char *id, struct problems *problems, struct fault *f);

#endif
