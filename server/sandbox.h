/* sandbox.h -- two walls around a process that has begun all it will need: what of the file system
 * it can reach (Landlock), and which system calls it can make (seccomp).
 *
 * Neither can be taken down again, and both are around the threads and children that come later
 * too.  So: by main's thread, before there is a second one.
 *
 * DESIGN.  The first wall lists what may be reached, since a server knows its folders; the second
 * what may not be called, since nobody knows what the C library calls next year.  What stands in
 * the second is what turns a hole in a server into a hole in its machine. */
#ifndef TANDEM_SANDBOX_H
#define TANDEM_SANDBOX_H

#include "state/base/err.h"

#include <stdbool.h>

enum sandbox_use {
    SANDBOX_READ,   /* Files are read and folders listed, all the way down. */
    SANDBOX_WRITE,  /* And made, changed and removed. */
    SANDBOX_DEVICE, /* A device that is read and written. */
    SANDBOX_SOCKET, /* Unix sockets are made and removed right in it. */
};

struct sandbox {
    int fd;       /* Of the list that is being made; -1: there is none. */
    unsigned abi; /* What the kernel knows of Landlock; 0: nothing. */
    int failed;   /* An errno: something could not be listed. */
};

/* Whether this system can do the first at all, and, in '*abi' (may be null), what its kernel knows
 * of Landlock: from 3 on it also holds truncate() back, from 6 on signals and abstract sockets.
 * E_NOT_READY. */
enum err sandbox_knows_files(unsigned *abi, struct fault *f);
/* The same of the second, as far as that can be told without doing it.  E_NOT_READY. */
enum err sandbox_knows_calls(struct fault *f);

/* Begins the list of what may be reached.  Other processes' abstract Unix sockets only if
 * 'abstract' says so; other processes are sent no signals (both from the kernel's ABI 6 on).
 * E_NOT_READY: this kernel has no Landlock, or it is switched off; E_IO. */
enum err sandbox_open(struct sandbox *s, bool abstract, struct fault *f);
/* Lists what an open descriptor, or a path, stands for.  A path that is not there, or that this
 * user cannot reach, is passed over: it could not be reached without a wall either. */
void sandbox_allow(struct sandbox *s, int fd, enum sandbox_use use);
void sandbox_allow_path(struct sandbox *s, const char *path, enum sandbox_use use);
/* Builds the first wall, unless something could not be listed: a server that lacks what it needs
 * would fail in ways that nobody understands.  E_IO. */
enum err sandbox_enter(struct sandbox *s, struct fault *f);
/* Gives the list up, or what is left of it. */
void sandbox_close(struct sandbox *s);

/* Builds the second: no program is started, no other process looked into or taken over, no name
 * space, mount, module or kernel key, no sockets but inet, inet6, unix and the one by which
 * interfaces are looked up.  A call that is refused fails with EPERM, and the kernel's log tells
 * it; in builds with a sanitizer, which are for tests, it ends the process.  E_NOT_READY: the
 * kernel has no such filters, or there is none for this kind of machine; E_IO. */
enum err sandbox_filter_calls(struct fault *f);

#endif
