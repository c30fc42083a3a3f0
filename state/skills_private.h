/* skills_private.h -- what the files of skills share. */
#ifndef TANDEM_SKILLS_PRIVATE_H
#define TANDEM_SKILLS_PRIVATE_H

#include "state/skills.h"

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
