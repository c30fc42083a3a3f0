/* project_info.h -- what the project's repository says about it, asked of git and kept for a few
 * seconds.
 *
 * git runs as a child with its output bounded and its time limited; with no git, no repository, or
 * a git that hangs, the answer is partial or null, never an error.  Concurrent callers share one
 * look.  Any thread that holds no lock; may take as long as git does, so: on a worker. */
#ifndef TANDEM_PROJECT_INFO_H
#define TANDEM_PROJECT_INFO_H

#include "state/base/aside.h"
#include "state/base/clock.h"
#include "state/base/slots.h"

#include <jansson.h>

struct project_info;

/* Starts the process that asks git for a server that will not be able to (aside.h); the caller
 * ends it. */
enum err project_info_start_aside(const char *root, struct aside **aside, struct fault *f);
/* 'root' is the project's folder; copied.  'aside' is borrowed; null: this process asks git. */
struct project_info *project_info_create(const char *root, const struct clock *clock,
                                         struct aside *aside);
void project_info_destroy(struct project_info *p);
/* {"remote":..., "branch":..., "commit":..., "commit_short":...,
 * "status":"clean"|"dirty"|"unknown"}, each null where unknown; or JSON null outside a repository.
 * New. */
json_t *project_info_git(struct project_info *p);
/* The project's name: the last part, without ".git", of the origin remote that 'git' tells (what
 * project_info_git() gave), else the folder's name.  New. */
char *project_info_name(const struct project_info *p, const json_t *git);
/* Ends the git that runs, and every later one at once. */
void project_info_give_up(struct project_info *p);
struct slots_counters project_info_counters(struct project_info *p);

#endif
