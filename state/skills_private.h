/* skills_private.h -- what the files of skills share. */
#ifndef TANDEM_SKILLS_PRIVATE_H
#define TANDEM_SKILLS_PRIVATE_H

#include "state/skills.h"

struct skills {
    struct dir *workspace; /* Counted; set once, as are all members. */
    const struct clock *clock;
    struct skill_source sources[SKILLS_SOURCES_MAX]; /* Borrows the next. */
    char *folders[SKILLS_SOURCES_MAX];               /* Owned. */
    size_t source_count;
    struct slots *files; /* Of struct skill_seen, by path and identity. */
};

/* What is kept of a file: immutable once it is made. */
struct skill_seen {
    size_t size;
    char digest[SKILL_DIGEST_SIZE];
    char title[SKILL_TITLE_MAX + 1]; /* The first heading of Markdown; may be empty. */
};

/* A folder that may be a skill. */
struct skill_place {
    enum skill_kind kind;
    char name[SKILL_NAME_MAX + 1];
    const char *source; /* Borrowed: the source's folder. */
    char *id;           /* Owned: the folder's name in the source; null: the source itself. */
    char *folder;       /* Owned: both, relative to the workspace. */
};

/* The first part of a skill's path. */
extern const char *const skill_kind_names[SKILL_KINDS];

/* Writes the digest of bytes, as text; false if there is no memory for it. */
bool skill_digest_of(struct slice bytes, char out[SKILL_DIGEST_SIZE]);
/* Looks at the file 'path' of the workspace, from what is kept if it is the same file. */
enum err skills_see(struct skills *s, const char *path, struct skill_seen *seen, struct fault *f);

/* Finds the place of the skill that 'path' begins with, to be given to skill_place_fini() whatever
 * is returned.  Stores what comes after it in the path, empty if nothing does. */
enum err skills_find_place(const struct skills *s, struct slice path, struct skill_place *p,
                           struct slice *rest, struct fault *f);
void skill_place_fini(struct skill_place *p);

/* Writes the name that a folder gives its skill; false if it gives none. */
bool skill_name_of(enum skill_kind kind, const char *folder, char out[SKILL_NAME_MAX + 1]);

/* Reads the front matter of a SKILL.md, a new object.  E_REFUSED, with the line, if it is none or
 * breaks a rule. */
enum err skill_frontmatter(struct slice text, const char *name, json_t **frontmatter,
                           struct fault *f);
/* Makes front matter and text of a skill that has no SKILL.md, from its pack or its files.
 * E_NOT_FOUND if there is nothing to make it from. */
enum err skill_make(struct dir *workspace, const struct skill_place *place, struct skill *skill,
                    struct fault *f);

#endif
