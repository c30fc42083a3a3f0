/* relay.pml -- the relay's protocol: publishers who never wait, readers with a short queue each, and
 * one wake until the reader has taken all there is.  "make prove-models" walks through all states.
 *
 *   publisher       bus_publish() (state/bus.c) with bus_readers_push_locked() and push_locked()
 *                   (state/bus_reader.c): one step, for the lock BUS is held
 *   client          whoever owns a reader: a WebSocket's or an /events stream's thread
 *     its wake      reader options' wake(): uv_async_send(), which coalesces; the flag 'woken'
 *     TAKE          bus_reader_take(), under the lock
 *     opening       bus_reader_open() from the beginning: what is kept, and a gap before it
 *     closing       bus_reader_close(), at any moment
 *
 * Asserted: a client sees the numbers in their order, each once, and a gap for exactly those that it
 * does not see; nobody who is closed is woken; when all is published and nobody is woken any more,
 * each client knows all there is: no wake was missed. */

#ifndef CLIENTS
#define CLIENTS 3
#endif
#ifndef EVENTS
#define EVENTS 2
#endif
/* A reader keeps one event, the next one drops it; the bus keeps one for those who come later. */
#define HISTORY 1

byte seq = 0;      /* The newest number. */
bool publishing = true;

bool open[CLIENTS];
bool told[CLIENTS];  /* The owner will look: no wake is needed. */
bool woken[CLIENTS]; /* The wake that it will see. */
byte gap_from[CLIENTS], gap_to[CLIENTS]; /* 0: there is none. */
byte lost[CLIENTS];  /* The last number that was forgotten before it came; 0: none was. */
byte past[CLIENTS];  /* The next number of what is replayed; 0: nothing more. */
byte past_to[CLIENTS];
byte ring[CLIENTS];  /* The one event of the queue; 0: it is empty. */

/* All who publish: each of them holds the lock for its whole step, so they are as one. */
proctype publisher()
{
    byte i;

    do
    :: seq < EVENTS ->
        d_step {
            seq++;
            i = 0;
            do
            :: i < CLIENTS ->
                if
                :: open[i] ->
                    if
                    :: ring[i] -> /* It is full: drop_oldest_locked(). */
                        if
                        :: gap_from[i] == 0 -> gap_from[i] = ring[i]
                        :: else
                        fi;
#ifndef PLANTED_GAP_UNTOLD
                        gap_to[i] = ring[i]
#else
                        gap_from[i] = 0
#endif
                    :: else
                    fi;
                    ring[i] = seq;
                    if
                    :: !told[i] ->
                        told[i] = true;
                        assert(open[i]);
                        woken[i] = true
                    :: else
                    fi
                :: else
                fi;
                i++
            :: else -> break
            od;
            i = 0
        }
    :: else -> break
    od;
    publishing = false
}

proctype client(byte me)
{
    byte known = 0; /* The number up to which it has been told, events and gaps. */
    byte from, to;  /* What it was handed; from 0: nothing. */
    bool drained;   /* Nothing is left: what comes from then on wakes. */

    d_step { /* bus_reader_open(): the past is picked as it is registered. */
        open[me] = true;
        told[me] = true; /* Its owner takes at once. */
        if
        :: seq > HISTORY -> lost[me] = seq - HISTORY; past[me] = seq - HISTORY + 1
        :: seq > 0 && seq <= HISTORY -> past[me] = 1
        :: else -> past[me] = 0
        fi;
        past_to[me] = seq
    }
    do
    :: true -> /* TAKE: until nothing is left. */
        d_step {
            from = 0;
            to = 0;
            if /* take_one_locked(). */
            :: lost[me] ->
                from = 1;
                to = lost[me];
                lost[me] = 0
            :: !lost[me] && past[me] ->
                from = past[me];
                to = past[me];
                past[me] = (past[me] == past_to[me] -> 0 : past[me] + 1)
            :: !lost[me] && !past[me] && gap_from[me] ->
                from = gap_from[me];
                to = gap_to[me];
                gap_from[me] = 0;
                gap_to[me] = 0
            :: !lost[me] && !past[me] && !gap_from[me] && ring[me] ->
                from = ring[me];
                to = ring[me];
                ring[me] = 0
            :: else
            fi;
            drained = !lost[me] && !past[me] && !gap_from[me] && !ring[me];
#ifndef PLANTED_SLEEP_UNLOCKED
            told[me] = !drained
#endif
        }
#ifdef PLANTED_SLEEP_UNLOCKED
        if
        :: drained -> told[me] = false /* A step later: it may have come in between. */
        :: else
        fi;
#endif
        if
        :: from ->
            assert(from == known + 1 && to >= from);
            known = to
        :: else
        fi;
        if
        :: drained ->
#ifdef PLANTED_LATE_CLEAR
            woken[me] = false; /* What came since it looked is forgotten. */
#endif
            if /* It sleeps until it is woken, or until there will be nothing more; or it leaves. */
            :: atomic { woken[me] -> woken[me] = false }
            :: atomic { !publishing && !woken[me] -> assert(known == seq); break }
            :: break
            fi
        :: else
        fi
    :: break
    od;
    skip;
    d_step { /* bus_reader_close(): it is woken no more. */
        open[me] = false;
        woken[me] = false;
        gap_from[me] = 0;
        gap_to[me] = 0;
        lost[me] = 0;
        past[me] = 0;
        past_to[me] = 0;
        ring[me] = 0
    }
}

init {
    byte i = 0;

    atomic {
        run publisher();
        do
        :: i < CLIENTS -> run client(i); i++
        :: else -> break
        od
    }
    (_nr_pr == 1);
    assert(seq == EVENTS);
    i = 0;
    do
    :: i < CLIENTS -> assert(!open[i] && !woken[i]); i++
    :: else -> break
    od
}
