/* keeper.h -- one thread that does what is due: jobs that come again, and the watching of files.
 *
 * It owns a libuv loop and sleeps in it while nothing is due.  What runs there must be short: it
 * holds up all the others.  A job may rest while it has nothing to do, so that an idle server is
 * not woken at all; who makes work for it stirs it. */
#ifndef TANDEM_KEEPER_H
#define TANDEM_KEEPER_H

#include "state/base/err.h"

#include <stdbool.h>

struct keeper;
struct keeper_job;
struct uv_loop_s;

/* Before there are threads and loops: from now on libuv's allocations abort as xcalloc() does.  It
 * aborts itself where it cannot go on, but without a word. */
void keeper_prepare(void);

/* A new keeper, its thread running, in '*k'.  E_IO when there is no descriptor or thread for it. */
enum err keeper_start(struct keeper **k, struct fault *f);
/* Lets what runs finish, drops all jobs, joins and frees.  Nobody else may be using it.  Null is
 * ignored. */
void keeper_stop(struct keeper *k);

/* Runs 'run' on the keeper's thread and returns when it has.  Any thread that holds no lock; on the
 * keeper's own it runs at once. */
void keeper_call(struct keeper *k, void (*run)(void *arg), void *arg);

/* The same without waiting for it: what is asked for is run in order.  'arg' is 'run''s. */
void keeper_post(struct keeper *k, void (*run)(void *arg), void *arg);

/* Whether the keeper has come round since it was asked that last, or for the first time; and asks
 * it to do so again.  Any thread, whatever it holds; never waits. */
bool keeper_beats(struct keeper *k);

/* Runs 'run' on the keeper's thread every 'ms' milliseconds, holding no lock, for the first time in
 * 'ms'.  Once it returns false the job rests until it is stirred.  The job is the keeper's, valid
 * until it is dropped.  'arg' is borrowed until then.  Threads as above; never waits. */
struct keeper_job *keeper_every(struct keeper *k, unsigned ms, bool (*run)(void *arg), void *arg);
/* There may be something to do: a resting job runs again, 'ms' from now.  Call it after the work is
 * there.  Any thread, whatever it holds; costs next to nothing while the job is awake. */
void keeper_stir(struct keeper_job *job);
/* Ends a job: it is not running when this returns, and does not run again.  Threads as
 * keeper_call(), though not from a job's own run().  Null is ignored. */
void keeper_drop(struct keeper_job *job);

/* The loop, for handles that live on it.  They are made, used and closed on the keeper's thread
 * (keeper_call()), all of them before keeper_stop(). */
struct uv_loop_s *keeper_loop(struct keeper *k);

#endif
