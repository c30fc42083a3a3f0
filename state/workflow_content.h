/* workflow_content.h -- what a running session shows: the phases and tasks of its pack and source.
 *
 * Built once, when a session starts or is loaded; immutable and counted, so both transports may
 * read one at once.  It holds the pack, and for a dynamic pack the parsed source and the templates,
 * and thereby the structure: which phases there are, in which order.  The texts of a pack's own
 * phases are read from its files when asked for; those of dynamic phases are rendered from what is
 * held, so a source that is removed breaks nothing.  Any thread; no locks. */
#ifndef TANDEM_WORKFLOW_CONTENT_H
#define TANDEM_WORKFLOW_CONTENT_H

#include "state/base/err.h"
#include "state/base/file.h"
#include "state/base/problems.h"
#include "state/workflow_gate.h"
#include "state/workflow_pack.h"

#include <jansson.h>

struct wf_content;

/* Builds the content of a session of 'pack' (a reference is taken).  For a dynamic pack the source
 * is the file, or the folder with a tasks.md or workflow-definition.yaml, that the option
 * source_path_key names, or 'target' if 'options' (may be null) has no such member; it is read
 * beneath 'workspace'.  New reference in '*content'.  E_ARGUMENT if no source is named, or its path
 * leaves the workspace; E_NOT_FOUND, E_REFUSED (with the line) or E_TOO_LARGE if it or a template
 * cannot be used. */
enum err wf_content_build(struct pack *pack, struct dir *workspace, const char *target,
                          const json_t *options, struct wf_content **content, struct fault *f);
struct wf_content *wf_content_ref(struct wf_content *content);
/* Null is ignored. */
void wf_content_unref(struct wf_content *content);

/* Borrowed. */
struct pack *wf_content_pack(const struct wf_content *content);
/* What was left out or assumed when the pack was loaded and the source parsed. */
const struct problems *wf_content_warnings(const struct wf_content *content);
/* The numbers of the phases, rising; never none. */
const int *wf_content_phases(const struct wf_content *content, size_t *count);
bool wf_content_has_phase(const struct wf_content *content, int phase);
/* The number of the phase after 'phase', or -1. */
int wf_content_next_phase(const struct wf_content *content, int phase);
/* "" for a number that is no phase. */
const char *wf_content_title(const struct wf_content *content, int phase);
bool wf_content_is_dynamic(const struct wf_content *content, int phase);

/* What a session keeps of it, a new object: phases [numbers], titles {"0": text}, pack_version,
 * source_digest (over the pack's files and the source).  Null without memory. */
json_t *wf_content_structure(const struct wf_content *content);

/* The source_digest as it is now, after an edit of the pack another one than in the structure that
 * a session keeps.  The source counts as it was read, without its ticks.  Reads files.  E_IO,
 * E_TOO_LARGE. */
enum err wf_content_digest(const struct wf_content *content, char out[PACK_DIGEST_MAX],
                           struct fault *f);

/* A phase as an answer shows it, a new object in '*phase_content': phase, phase_name,
 * phase_content, tasks [{task_number, task_id, task_name, estimated_time, dependencies, missing?}],
 * task_count, source
 * ("pack" or "dynamic"), and for a dynamic one source_phase and validation_gate [text]; 'warnings'
 * if there are any.  E_NOT_FOUND if there is no such phase; else as pack_read_phase(). */
enum err wf_content_phase(const struct wf_content *content, int phase, json_t **phase_content,
                          struct fault *f);

/* The file that a text was read from; 'file' null: it is made of more than that, or of none. */
struct wf_file {
    const char *file; /* Borrowed from the pack of the content, and relative to it. */
    struct file_identity identity;
};

/* A task as an answer shows it, a new object in '*task_content': phase, task_number, task_id,
 * task_name, content, purpose, steps, source; for a pack's own task_file; for a dynamic one
 * estimated_time, dependencies, criteria [{text, done}] and source_text.  '*read' (may be null)
 * tells where the text is from.  E_NOT_FOUND if there is no such task, naming those there are, or
 * if its file is missing. */
enum err wf_content_task(const struct wf_content *content, int phase, int task,
                         struct wf_file *read, json_t **task_content, struct fault *f);

/* Reads the source again beneath 'workspace'.  '*fresh' is a new reference: content with the same
 * structure and the ticks of now, or 'content' itself if nothing changed, if it is static, or
 * if the source cannot be read any more.  '*warning' is new text to show, or null: that phases
 * or tasks changed, or that the source is gone.  E_LIMIT without memory. */
enum err wf_content_refresh(struct wf_content *content, struct dir *workspace,
                            struct wf_content **fresh, char **warning, struct fault *f);

#define WF_GATE_KEY_MAX 256u
#define WF_GATE_VERSION_MAX 192u
/* What a cache of gates needs: who the gate is, and which version of its files. */
struct wf_gate_ref {
    char key[WF_GATE_KEY_MAX];
    char version[WF_GATE_VERSION_MAX];
};
/* Tells the key and the current version of the gate of 'phase': cheap, looks at the files' identity
 * only. E_NOT_FOUND if there is no such phase; E_IO. */
enum err wf_content_gate_ref(const struct wf_content *content, int phase, struct wf_gate_ref *ref,
                             struct fault *f);
/* Makes the gate of 'phase', a new reference: from its gate file, else from the definition, else
 * derived from what the phase says, else permissive.  Reads files.  What is amiss goes to
 * 'problems' (may be null).  E_REFUSED if there is a gate that cannot be used: never a pass. */
enum err wf_content_gate(const struct wf_content *content, int phase, struct gate **gate,
                         struct problems *problems, struct fault *f);

#endif
