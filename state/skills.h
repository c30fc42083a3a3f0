/* skills.h -- the project's skills: folders whose SKILL.md tells an agent when to read the rest.
 *
 * A skill is named by its path, two parts that are what follows "skill://" in its URI:
 *     packs/bug-fix-v1              the pack bug_fix_v1
 *     project/<name>                the folder <name> of the data folder's "skills"
 *     standards/testing-standards   the folder "testing" of the standards
 *     standards/standards           the standards that are in no folder
 * The second part is the folder's name in lower case, all but letters and digits made hyphens.  A
 * pack, or a folder of standards, that has no SKILL.md of its own is given one, made from what it
 * holds.  The files of a skill are all that are visible in its folder, and SKILL.md.
 *
 * Folders are looked at again by each call, so a change is seen by the next; what is kept is each
 * file's digest, for as long as the file is the same.  What breaks a rule (a SKILL.md without
 * front matter, too many files) is no skill, and is logged.  Any thread, holding no lock; files are
 * read, so not a transport's. */
#ifndef TANDEM_SKILLS_H
#define TANDEM_SKILLS_H

#include "state/base/clock.h"
#include "state/base/err.h"
#include "state/base/file.h"
#include "state/base/mem.h"
#include "state/base/problems.h"
#include "state/base/slots.h"
#include "state/digest.h"

#include <jansson.h>
#include <stdbool.h>

#define SKILL_FILE "SKILL.md"
#define SKILL_NAME_MAX 64u          /* Bytes of a name. */
#define SKILL_DESCRIPTION_MAX 1024u /* Bytes of a description that is made. */
#define SKILL_FILES_MAX 512u        /* Files, SKILL.md among them. */
#define SKILL_TOTAL_MAX (16u << 20) /* Bytes of all of them. */
#define SKILL_READ_MAX (4u << 20)   /* Bytes of one. */
#define SKILL_DEPTH_MAX 16u         /* Folders below each other. */
#define SKILL_PATH_MAX 1024u        /* Bytes of a file's path. */
#define SKILLS_EACH_MAX 500u        /* Folders of a kind that are looked at. */
#define SKILL_DIGEST_SIZE DIGEST_TEXT_SIZE
#define SKILLS_SOURCES_MAX 8u

enum skill_kind { SKILL_PACK, SKILL_PROJECT, SKILL_STANDARDS, SKILL_KINDS };

struct skills;

/* A folder, relative to the workspace, where skills of a kind are.  Of two of one name the first
 * source's counts. */
struct skill_source {
    enum skill_kind kind;
    const char *folder;
};

/* New.  'workspace' is counted, 'sources' are copied, 'clock' is borrowed. */
struct skills *skills_create(struct dir *workspace, const struct skill_source *sources,
                             size_t count, const struct clock *clock);
/* Null is ignored.  No other thread may be using it. */
void skills_destroy(struct skills *s);
struct slots_counters skills_counters(struct skills *s);

#define SKILL_TITLE_MAX 120u /* Bytes of a heading that is told. */
/* The first heading of Markdown, as one line; empty if there is none. */
void skill_title_of(struct slice markdown, char out[SKILL_TITLE_MAX + 1]);

#define SKILL_PATH_SIZE (SKILL_NAME_MAX + 16)
/* Writes the path of the skill that the folder of that name is; null: that of a source itself.
 * False if it gives none. */
bool skills_path_of(enum skill_kind kind, const char *folder, char out[SKILL_PATH_SIZE]);

struct skill_file {
    char *path;  /* Relative to the skill. */
    char *title; /* The first heading of Markdown; may be empty. */
    size_t size;
    char digest[SKILL_DIGEST_SIZE];
};

struct skill {
    char *path;          /* "packs/bug-fix-v1". */
    const char *name;    /* The second part of it. */
    json_t *frontmatter; /* Of SKILL.md: has the texts "name" and "description". */
    char *text;          /* Of SKILL.md if it is made; null if it is a file. */
    size_t text_len;
    struct skill_file *files; /* Sorted by path; SKILL.md among them. */
    size_t count;
};

struct skill_paths {
    char **paths; /* Owned; sorted bytewise, each once. */
    size_t count;
};
/* The paths of what may be skills, without opening any.  E_TOO_LARGE over SKILLS_EACH_MAX; E_IO. On
 * error there are none. */
enum err skills_find(struct skills *s, struct skill_paths *paths, struct fault *f);
void skill_paths_fini(struct skill_paths *paths);

/* Loads one, new.  E_NOT_FOUND also for what cannot name one; E_REFUSED and E_TOO_LARGE for what is
 * no skill by its content (logged); E_NOT_READY, E_IO. */
enum err skills_load(struct skills *s, struct slice path, struct skill **skill, struct fault *f);
/* Null is ignored. */
void skill_free(struct skill *skill);

/* For "tandem check": adds what is wrong with the SKILL.md in 'dir', a folder called 'folder', to
 * 'problems'; nothing if it has none.  Pure but for that file. */
void skill_check(const struct dir *dir, enum skill_kind kind, const char *folder,
                 struct problems *problems);

/* Appends a file of a skill to 'out'; 'path' is the skill's and the file's.  Errors as above. */
enum err skills_read(struct skills *s, struct slice path, struct buf *out, struct fault *f);

#endif
