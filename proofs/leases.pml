/* Two nodes with leased users and no bus: node 0 logs a user out, and both cache the login.
 *
 * Bounds: one login, one logout, any number of requests, and reads of the store that take any time, in
 * 6 ticks of true time. The clock of node 1 runs at half the rate of that of node 0, the worst case,
 * and a logout waits twice as long; in the code it is one in a hundred. A pause, a crash and a partition are
 * steps that a node does not take. LONGER: node 1 has a lease of two ticks instead of one.
 * AT_ONCE: the logout does not wait, as if a bus had reached node 1, so that node 0 alone is shown.
 *
 * run:
 * run:   AT_ONCE
 * break: AT_ONCE INVALIDATED_ONCE -> revoked_means_revoked
 * break: AT_ONCE GENERATION_AFTER_READ -> revoked_means_revoked
 * break: LEASE_FROM_ANSWER -> revoked_means_revoked
 * break: WAITED_FROM_BEFORE_WRITE -> revoked_means_revoked
 * break: NOT_WAITED -> revoked_means_revoked
 * break: NO_MARGIN -> revoked_means_revoked
 * limit: LONGER -> revoked_means_revoked
 */
#include "claims.h"

#define HORIZON 6

bool revoked_means_revoked = true;

/* src/leased/entries.rs::Lease: the true length of each node's lease, and of the wait of node 0. */
#ifdef LONGER
#define lease(node) ((node) == 0 -> 1 : 4)
#else
#define lease(node) ((node) == 0 -> 1 : 2)
#endif
#ifdef NO_MARGIN
#define WAIT 1
#else
#define WAIT 2
#endif

bool revoked; /* in the user store */
bool acknowledged;
bool counts; /* whether the wait of the logout has begun */
byte waited;
byte ticks;

/* src/leased/entries.rs::Entry, one for each node. The counters are those of src/leased/generations.rs. */
byte generation; /* of node 0, where the logout is */
bool kept[2];
byte kept_generation[2];
byte left[2]; /* of the lease */
byte reading_left[2];

inline count_down(timer) {
    if
    :: timer > 0 -> timer--
    :: else
    fi
}

proctype Time() {
    do
    :: d_step {
        ticks < HORIZON -> ticks++;
        count_down(left[0]);
        count_down(left[1]);
        count_down(reading_left[0]);
        count_down(reading_left[1]);
        if
        :: counts && waited < WAIT -> waited++
        :: else
        fi
    }
    :: ticks == HORIZON -> break
    od
}

/* src/leased/store.rs::is_valid */
#define current(node, taken) ((node) == 1 || (taken) == generation)
#define is_valid(node) (kept[node] && left[node] > 0 && current(node, kept_generation[node]))

/* src/leased/user_store.rs::check_login */
proctype Requests(byte node) {
    byte taken;
    bool is_later, is_user;

end_requests:
    do
    :: atomic { ticks < HORIZON && is_valid(node) -> claim(revoked_means_revoked, !acknowledged) }
    :: atomic {
        ticks < HORIZON && !is_valid(node) ->
        /* src/leased/store.rs::find_or_insert: generation and time are taken before the read. */
        is_later = acknowledged;
        kept[node] = false;
        taken = generation;
        reading_left[node] = lease(node)
    }
        /* The store is read, and answers later. */
        d_step { is_user = !revoked; claim(revoked_means_revoked, !is_user || !is_later) }
        d_step {
#ifdef GENERATION_AFTER_READ
            taken = generation;
#endif
#ifdef LEASE_FROM_ANSWER
            reading_left[node] = lease(node);
#endif
            if
            :: is_user ->
                kept[node] = true;
                kept_generation[node] = taken;
                left[node] = reading_left[node]
            :: else
            fi;
            reading_left[node] = 0;
            taken = 0;
            is_user = false;
            is_later = false
        }
    od
}

/* src/leased/logouts.rs::log_out_everywhere */
proctype Logout() {
    /* src/leased/generations.rs::invalidate */
    generation++;
#ifdef WAITED_FROM_BEFORE_WRITE
    counts = true;
#endif
    revoked = true;
    /* src/leased/logouts.rs::wait_for_all_nodes */
    counts = true;
#ifndef INVALIDATED_ONCE
    generation++;
#endif
#if !defined(NOT_WAITED) && !defined(AT_ONCE)
    waited == WAIT || ticks == HORIZON;
#endif
    acknowledged = true
}

init {
    atomic {
        run Time();
        run Requests(0);
#ifndef AT_ONCE
        run Requests(1);
#endif
        run Logout()
    }
}
