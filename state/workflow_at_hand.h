/* workflow_at_hand.h -- answers of get_task that are told again without reading the task's file.
 *
 * Who asks makes a text of the answer and has it kept with the live session
 * (workflow_args.keep).  It is handed out again as long as the session is as it was and the task's
 * file has the stamp that it had (stamp.h), which costs one system call a look: so an edit shows at
 * once, as when the file is read.  Kept are tasks of static packs, on disks of this machine; a call
 * for another reads its files. */
#ifndef TANDEM_WORKFLOW_AT_HAND_H
#define TANDEM_WORKFLOW_AT_HAND_H

#include "state/workflow.h"

/* The text kept of the answer to get_task with 'args', counted; or null.  Never blocks, loads
 * nothing.  Any thread; no lock may be held. */
struct bytes *workflow_at_hand(struct workflow *w, const struct workflow_args *args);

#endif
