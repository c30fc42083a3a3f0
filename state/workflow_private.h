/* workflow_private.h -- what the files of the engine share, and nobody else needs. */
#ifndef TANDEM_WORKFLOW_PRIVATE_H
#define TANDEM_WORKFLOW_PRIVATE_H

#include "state/workflow.h"
#include "state/workflow_content.h"
#include "state/workflow_gates.h"
#include "state/workflow_store.h"

struct workflow {
    struct workflow_options options; /* Set once, as are all members; references counted. */
    char *pack_paths[WORKFLOW_PACK_PATHS_MAX]; /* Owned. */
    struct workflow_store *store;
    struct workflow_gates *gates;
    void (*tell)(void *arg, const char *session_id, bool list); /* Null: nobody is told. */
    void *tell_arg;
};

/* The folders of packs as they are now. */
struct open_roots {
    struct dir *dirs[WORKFLOW_PACK_PATHS_MAX]; /* Counted. */
    struct pack_roots roots;                   /* Borrows them. */
};
/* Opens those that are there, for workflow_close_roots() on success.  E_IO: it is not known. */
enum err workflow_open_roots(const struct workflow *w, struct open_roots *open, struct fault *f);
void workflow_close_roots(struct open_roots *open);

/* Loads a pack by id or unambiguous type, new reference. */
enum err workflow_load_pack(const struct workflow *w, const char *name, struct pack **pack,
                            struct fault *f);
/* Builds content; an absolute path in the source's option that lies in the workspace counts as
 * relative. */
enum err workflow_build_content(const struct workflow *w, struct pack *pack, const char *target,
                                const json_t *options, struct wf_content **content,
                                struct fault *f);
/* A session's content as its files are now: a new reference.  '*warning', if not null, is to be
 * shown and freed. */
enum err workflow_content_of(struct workflow *w, const struct session_view *view,
                             struct wf_content **content, char **warning, struct fault *f);
/* Adds the content of 'phase' to 'answer'. */
enum err workflow_add_phase(struct workflow *w, const struct session_view *view, int phase,
                            json_t *answer, struct fault *f);

/* workflow_at_hand.c: keeps a text of 'answer', which get_task gives to 'args', if it is known that
 * 'read', from 'began_ns' on (clock_files()), is what its file says. */
void workflow_keep(const struct workflow_args *args, const struct session_view *view,
                   const struct wf_content *content, const struct wf_file *read, int64_t began_ns,
                   const json_t *answer);

/* workflow_events.c: tells the bus of what has been saved: of a session in the state of 'record',
 * with the members of 'more' (stolen; may be null) beside what all such events tell; of one that is
 * no more; of evidence that was judged.  No lock may be held. */
void workflow_say(struct workflow *w, const char *topic, const json_t *record, json_t *more);
void workflow_say_deleted(struct workflow *w, const char *session_id);
void workflow_say_judged(struct workflow *w, const json_t *record, int phase, bool passed,
                         bool overridden);

/* Adds the content of the current phase; if that cannot be read, a warning why. */
void workflow_show_phase(struct workflow *w, const struct session_view *view, json_t *answer);
/* After a change was not made: makes 'view' one of now, for the error's position is told from it;
 * empty if the session is no more. */
void workflow_look_again(struct workflow *w, const struct workflow_args *args,
                         struct session_view *view);

/* Ends a failed action: makes '*answer' the error object, adding the position of the session of
 * 'view' (may be null or empty).  Returns f's code. */
enum err workflow_failed(const struct workflow_args *args, const struct session_view *view,
                         json_t **answer, const struct fault *f);
/* Looks up the session that 'args' names. */
enum err workflow_view(struct workflow *w, const struct workflow_args *args,
                       struct session_view *view, struct fault *f);
/* Whether 'args' may complete its phase now, whatever the gate will say. */
enum err workflow_check_completion(const struct workflow_args *args, const json_t *record,
                                   struct fault *f);
/* The gate of a phase, a new reference.  Without any lock. */
enum err workflow_gate_of(struct workflow *w, const struct session_view *view, int phase,
                          struct gate **gate, struct fault *f);
int64_t workflow_now(const struct workflow *w);

#endif
