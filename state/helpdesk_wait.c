/* helpdesk_wait.c -- who waits for a load: the first to search an index, and who reloads it. */
#include "state/helpdesk_private.h"

#include <stdio.h>

#define LOOK_NS INT64_C(100000000) /* How often a waiting asker is asked if he still wants it. */

/* ---- Who waits ---- */

/* Waits until a load that the asker wanted as number 'mine' has ended; with 'mine' 0, until there
 * is an index or nobody makes one.  E_TIMEOUT, E_CANCELLED. */
static enum err
wait_for(struct desk *d, uint64_t mine, const struct helpdesk_asker *asker)
{
    struct helpdesk *h = d->helpdesk;
    enum err err = E_OK;
    bool done;

    do {
        int64_t now = clock_mono(clock_real()), until = asker->deadline_ns;

        if (asker->stopped && until - now > LOOK_NS) {
            until = now + LOOK_NS;
        }
        LOCK(HELPDESK, &h->lock);
        done = mine ? d->seen >= mine : d->current || !d->busy;
        if (!done && now < asker->deadline_ns) {
            cond_wait(&h->changed, &h->lock, until);
        }
        UNLOCK(HELPDESK, &h->lock);
        if (!done && now >= asker->deadline_ns) {
            err = E_TIMEOUT;
        } else if (!done && asker->stopped && asker->stopped(asker->arg)) {
            err = E_CANCELLED;
        }
    } while (!done && !err);
    return err;
}

/* What an asker is told who waited in vain. */
static enum err
tell_vain(enum err err, struct fault *f)
{
    fault_set(f, err, err == E_TIMEOUT ? "the helpdesk index is still being loaded" : "given up");
    return err == E_TIMEOUT
               ? fault_remedy(f, "ask again; get_helpdesk_status tells when it is ready")
               : err;
}

/* Why there is no index to search. */
static enum err
tell_unready(const struct fault *why, int64_t retry_ns, struct fault *f)
{
    fault_set(f, E_NOT_READY, "the helpdesk index cannot be loaded: %s", why->text);
    if (why->code == E_CANCELLED) { /* The server is ending: there will be no other try. */
        return E_NOT_READY;
    }
    return fault_remedy(f, "%s%sit is tried again in %lld s, or by reload_helpdesk_index",
                        why->remedy, why->remedy[0] ? "; " : "",
                        retry_ns > 0 ? (long long)((retry_ns + 999999999) / 1000000000) : 0LL);
}

enum err
helpdesk_pin(struct helpdesk *h, const struct helpdesk_asker *asker, struct helpdesk_index **index,
             struct fault *f)
{
    struct fault why = FAULT_INIT;
    struct slot_pin pin;
    struct desk *d;
    int64_t retry_ns;
    bool load;
    enum err err = helpdesk_find_desk(h, asker, &pin, f);

    *index = NULL;
    if (err) {
        return err;
    }
    d = pin.value;
    LOCK(HELPDESK, &h->lock);
    load = helpdesk_lacks(d) && !d->busy &&
           (!d->fault.code || clock_mono(h->options.clock) >= d->retry_at);
    if (load) {
        helpdesk_want_locked(d, false);
    }
    UNLOCK(HELPDESK, &h->lock);
    if (load) {
        helpdesk_begin(d, slots_pin_again(h->desks, &pin));
    }
    err = wait_for(d, 0, asker);
    LOCK(HELPDESK, &h->lock);
    if (d->current) {
        *index = helpdesk_index_ref(d->current);
        d->searches++;
        h->totals.searches++;
    }
    why = d->fault;
    retry_ns = d->retry_at - clock_mono(h->options.clock);
    UNLOCK(HELPDESK, &h->lock);
    slots_unpin(h->desks, &pin);
    return *index ? E_OK : err ? tell_vain(err, f) : tell_unready(&why, retry_ns, f);
}

enum err
helpdesk_reload(struct helpdesk *h, const struct helpdesk_asker *asker, bool clear, struct fault *f)
{
    struct fault why = FAULT_INIT;
    struct slot_pin pin;
    struct desk *d;
    uint64_t mine;
    enum err err = helpdesk_find_desk(h, asker, &pin, f);

    if (err) {
        return err;
    }
    d = pin.value;
    LOCK(HELPDESK, &h->lock);
    mine = helpdesk_want_locked(d, false);
    d->clear = d->clear || clear;
    UNLOCK(HELPDESK, &h->lock);
    helpdesk_begin(d, slots_pin_again(h->desks, &pin));
    err = wait_for(d, mine, asker);
    LOCK(HELPDESK, &h->lock);
    why = d->fault;
    UNLOCK(HELPDESK, &h->lock);
    slots_unpin(h->desks, &pin);
    if (err) {
        return tell_vain(err, f);
    }
    if (why.code && f) {
        *f = why;
    }
    return why.code;
}
