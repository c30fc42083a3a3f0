/* shutdown.pml -- how the server ends while calls run.  "make prove-models" walks through all states.
 *
 *   transport    stdio_transport.c: read_input(), begin_stop(), flush(), go_on(), end().  The HTTP
 *                transport's are alike
 *   worker       pool.c: work(); then what the call does, request.c: the answer, if it is the first to
 *                say what becomes of the call; inflight.c: inflight_remove(); and the wake
 *   patience     serve.c: lose_patience() with dispatch_end_all() and inflight_end(): at any moment
 *                after the stop, or never
 *   canceller    a client's notifications/cancelled, or its leaving: inflight_cancel(), at any moment
 *   main         serve.c: stop_transports(), then core_close(): pool_stop(), which joins the workers
 *
 * Asserted: a call that was accepted is answered once, unless its client has cancelled it, then at
 * most once; an answer is on its way before its call is counted off, so that a transport that sees no
 * call in flight and nothing unsent leaves nothing behind; once all has been drained nobody waits
 * (every process comes to its end). */

#ifndef CALLS
#define CALLS 3
#endif
#ifndef WORKERS
#define WORKERS 2
#endif

mtype = { NOT_SENT, RUNNING, ANSWERED, CANCELLED, ENDED, REFUSED };

mtype progress[CALLS] = NOT_SENT; /* request.progress, changed by compare-and-exchange. */
bool listed[CALLS];               /* It is in inflight's list. */
byte answers[CALLS];              /* Put into the outbox for it. */

chan queue = [CALLS] of { byte }; /* The pool's jobs. */
bool closing = false;             /* pool_stop(). */
byte working = WORKERS;

byte in_flight = 0;               /* peer_in_flight(). */
byte outbox = 0, sent = 0;        /* Answers that wait, and that the client has. */
bool ended_list = false;          /* inflight_end() was there: nothing is added any more. */
bool stop = false, awake = false; /* stop_ns; the transport's uv_async. */
bool over = false;                /* The transport's thread has ended. */
bool patience_done = false, cancel_done = false;

/* Says what became of a call, for the first who says it. */
inline settle(call, as, won)
{
    atomic {
        won = (progress[call] == RUNNING);
        if
        :: won -> progress[call] = as
        :: else
        fi
    }
}

proctype transport()
{
    byte next = 0;
    bool reading = true;
    byte count;

    do
    :: reading && !stop && next < CALLS -> /* A line has come. */
        if
        :: atomic { ended_list -> progress[next] = REFUSED; answers[next]++; outbox++ }
        :: atomic {
            !ended_list ->
            progress[next] = RUNNING;
            listed[next] = true;
            in_flight++
           };
           queue!next
        fi;
        next++
    :: awake || outbox || (stop && reading) -> /* go_on(). */
        awake = false;
        if
        :: stop && reading -> reading = false /* begin_stop(). */
        :: else
        fi;
#ifdef PLANTED_ORDER
        if
        :: outbox == 0 -> count = in_flight
        :: else -> atomic { sent = sent + outbox; outbox = 0 }; count = 1
        fi;
        if
        :: !reading && count == 0 -> break
        :: else
        fi
#else
        atomic { sent = sent + outbox; outbox = 0 } /* flush(). */
        count = in_flight; /* The count first. */
        if
        :: !reading && count == 0 && outbox == 0 -> break
        :: !reading && count == 0 && outbox > 0 -> awake = true
        :: else
        fi
#endif
    od;
    over = true
}

proctype worker()
{
    byte call;
    bool won;

    do
    :: atomic { queue?call -> skip };
       /* It may take any time: the others go on. */
#ifdef PLANTED_TWICE
       won = (progress[call] == RUNNING);
#else
       settle(call, ANSWERED, won);
#endif
#ifdef PLANTED_EARLY_COUNT
       atomic { listed[call] = false; in_flight-- }
       awake = true;
#endif
       if
       :: won -> atomic { progress[call] = ANSWERED; answers[call]++; outbox++ }
       :: else
       fi;
#ifndef PLANTED_EARLY_COUNT
       atomic { listed[call] = false; in_flight-- } /* inflight_remove(). */
#endif
       awake = true
    :: atomic { closing && empty(queue) -> working--; break }
    od
}

proctype patience()
{
    byte i = 0;

    if
    :: atomic { /* The deadline comes: dispatch_end_all(), with INFLIGHT held. */
           stop && !over ->
           ended_list = true;
           do
           :: i < CALLS ->
               if
               :: listed[i] && progress[i] == RUNNING ->
                   progress[i] = ENDED;
                   answers[i]++;
                   outbox++
               :: else
               fi;
               i++
           :: else -> break
           od;
           awake = true
       }
    :: over /* All was done before. */
    fi;
    patience_done = true
}

proctype canceller()
{
    byte call = 0;
    bool won;

    if
    :: call = 0
    :: call = CALLS - 1
    fi;
    if
    :: progress[call] == RUNNING -> settle(call, CANCELLED, won)
    :: over
    :: true
    fi;
    cancel_done = true
}

init {
    byte i = 0, accepted = 0, told = 0;

    atomic {
        run transport();
        do
        :: i < WORKERS -> run worker(); i++
        :: else -> break
        od;
        run patience();
        run canceller()
    }
    atomic { stop = true; awake = true }; /* A signal, or the end of input: at any moment. */
    over;
    patience_done;
    closing = true;
    working == 0;
    cancel_done;
    i = 0;
    do
    :: i < CALLS ->
        assert(progress[i] != RUNNING && !listed[i] && answers[i] <= 1);
        assert((progress[i] == ANSWERED || progress[i] == ENDED || progress[i] == REFUSED) ==
               (answers[i] == 1));
        told = told + answers[i];
        i++
    :: else -> break
    od;
    assert(in_flight == 0 && outbox == 0 && sent == told)
}
