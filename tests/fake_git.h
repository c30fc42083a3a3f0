/* fake_git.h -- a git that waits until it is told: how a test keeps a call of get_server_info open.
 *
 * A script called "git" in a folder for the front of the server's PATH.  "git status" and "git
 * config" wait on a named pipe; the server gives one up after its own time, so a call stays open
 * for about 4 s, or until fake_git_release().  Main thread only. */
#ifndef TANDEM_TESTS_FAKE_GIT_H
#define TANDEM_TESTS_FAKE_GIT_H

#include "tests/harness.h"

struct fake_git {
    char folder[HARNESS_ROOT + 16]; /* For server_options.path_first. */
    char gate[HARNESS_ROOT + 32];
    int writer; /* -1 until fake_git_wait(). */
};
/* Makes it in ROOT/fake-bin. */
void fake_git_init(struct fake_git *g, const char *root);
/* Waits until a git stands at the gate.  False if none came until 'deadline_ns'. */
bool fake_git_wait(struct fake_git *g, int64_t deadline_ns);
/* After fake_git_wait(): true if a git still waits. */
bool fake_git_waits(const struct fake_git *g);
/* Lets those that wait go, and all that come. */
void fake_git_release(struct fake_git *g);

#endif
