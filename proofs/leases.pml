/* Two nodes with leased users and no bus: node 0 logs a user out, and both cache the login.
 *
 * Bounds: one login, one logout, any number of requests, two at once, and reads of the store that take any time, in
 * 6 ticks of true time. The requests are at node 1. Its clock runs at half the rate of that of node 0, the worst
 * case, and a logout waits twice as long; in the code it is one in a hundred. A pause, a crash and a partition are
 * steps that a node does not take. LONGER: node 1 has a lease of two ticks instead of one.
 * AT_ONCE: the requests are at node 0, and the logout does not wait, as if a bus had reached node 1.
 *
 * A trace has up to four requests at either node, and ticks of half a lease.
 *
 * run:
 * run:   AT_ONCE
 * break: AT_ONCE INVALIDATED_ONCE -> revoked_means_revoked
 * break: AT_ONCE GENERATION_AFTER_READ -> revoked_means_revoked
 * break: AT_ONCE JOINS_INVALIDATED -> revoked_means_revoked
 * break: LEASE_FROM_ANSWER -> revoked_means_revoked
 * break: WAITED_FROM_BEFORE_WRITE -> revoked_means_revoked
 * break: NOT_WAITED -> revoked_means_revoked
 * break: NO_MARGIN -> revoked_means_revoked
 * limit: LONGER -> revoked_means_revoked
 * traces:
 * refused: INVALIDATED_ONCE
 * refused: GENERATION_AFTER_READ
 * refused: JOINS_INVALIDATED
 * refused: LEASE_FROM_ANSWER
 * refused: WAITED_FROM_BEFORE_WRITE
 * refused: NOT_WAITED
 * refused: NO_MARGIN
 * refused: LONGER
 * refused: JOINED_IS_NOT_CHECKED
 */
#include "claims.h"
#include "traces.h"

bool revoked_means_revoked = true;

/* src/leased/entries.rs::Lease: the true length of each node's lease, and of the wait of node 0. */
#ifdef TRACES
#define REQUESTS 4
#define LEASE_0 2
#define LEASE_1 2
#define LEASE_AND_MARGIN 3
#else
#define HORIZON 6
#define REQUESTS 2
#define LEASE_0 1
#define LEASE_1 2
#define LEASE_AND_MARGIN 2
#endif
#ifdef LONGER
#define lease(node) ((node) == 0 -> LEASE_0 : 2 * LEASE_1)
#else
#define lease(node) ((node) == 0 -> LEASE_0 : LEASE_1)
#endif
#if defined(NOT_WAITED) || defined(AT_ONCE)
#define WAIT 0
#elif defined(NO_MARGIN)
#define WAIT LEASE_0
#else
#define WAIT LEASE_AND_MARGIN
#endif

bool revoked; /* in the user store */
bool acknowledged;
bool counts; /* whether the wait of the logout has begun */
byte waited;

/* src/leased/entries.rs::Entry, one for each request that inserts one. */
byte inserted_at[REQUESTS]; /* its node */
byte left[REQUESTS]; /* of the lease */
bool is_invalidated[REQUESTS]; /* its generation is an earlier one */
bool is_read[REQUESTS]; /* by a request that waits for the store */
bool is_answered[REQUESTS];
bool has_login[REQUESTS]; /* the answer, of a login that is not revoked */
byte joined[REQUESTS]; /* by so many requests */

byte cached[2]; /* at each node: 1 + the number of its entry, or 0 */

#define for_each_entry(step) \
    step(0) \
    step(1) \
    more_entries(step)
#ifdef TRACES
#define more_entries(step) step(2) step(3)
#else
#define more_entries(step)
#endif

#define count_down(entry) \
    if \
    :: left[entry] > 1 -> left[entry]-- \
    :: left[entry] == 1 -> left[entry] = 0; is_invalidated[entry] = false \
    :: else \
    fi;

inline pass_time() {
    for_each_entry(count_down)
    if
    :: counts && waited < WAIT -> waited++
    :: else
    fi
}

/* src/leased/generations.rs::invalidate, of node 0 */
#define invalidate_entry(entry) \
    if \
    :: left[entry] > 0 && inserted_at[entry] == 0 -> is_invalidated[entry] = true \
    :: else \
    fi;

#ifdef TRACES
/* A logout whose wait is over is answered before more time passes. */
#define may_pass (!counts || acknowledged || waited < WAIT)

proctype Time(byte number) {
    do
    :: atomic { may_pass -> event(Time, number, "tick") pass_time() }
    :: acknowledged -> break
    od
}

#define is_over false
#else
byte ticks;
#define is_over (ticks == HORIZON)

proctype Time() {
    do
    :: d_step { !is_over -> ticks++; pass_time() }
    :: is_over -> break
    od
}
#endif

/* src/leased/store.rs::is_valid */
#define is_valid(entry) (left[entry] > 0 && !is_invalidated[entry])

/* src/leased/store.rs::can_be_joined */
#ifdef JOINS_INVALIDATED
#define can_be_joined(entry) (left[entry] > 0)
#else
#define can_be_joined(entry) is_valid(entry)
#endif

/* src/leased/user_store.rs::check_login */
proctype Request(byte number; byte node) {
    byte entry;
    bool is_new, is_second, is_later, is_login;

#ifndef TRACES
end_request:
#endif
begin:
    atomic {
#ifdef TRACES
        at_either_node(Request, number, node)
#else
        !is_over;
#endif
        is_later = acknowledged;
find:
        /* src/leased/store.rs::find_or_insert */
        if
        :: cached[node] > 0 && can_be_joined(cached[node] - 1) ->
            entry = cached[node] - 1;
            is_new = false
        :: (cached[node] == 0 || !can_be_joined(cached[node] - 1)) && joined[number] == 0 ->
            /* Generation and time are taken before the read. */
            entry = number;
            is_new = true;
            inserted_at[number] = node;
            left[number] = lease(node);
            is_invalidated[number] = false;
            is_read[number] = false;
            is_answered[number] = false;
            has_login[number] = false;
            cached[node] = 1 + number
        fi;
        joined[entry]++
    }
    if
    :: atomic {
        !is_read[entry] && !is_answered[entry] ->
        is_read[entry] = true;
        event(Request, number, "check_login")
        is_login = !revoked
    }
        /* The store is read, and answers later. */
        if
        :: d_step {
#ifdef GENERATION_AFTER_READ
            is_invalidated[entry] = false;
#endif
#ifdef LEASE_FROM_ANSWER
            left[entry] = lease(node);
#endif
            has_login[entry] = is_login;
            is_answered[entry] = true
        }
        /* The request is dropped, and another may read. */
        :: atomic {
            is_read[entry] = false;
            joined[entry]--;
            event(Request, number, "dropped")
            goto done
        }
        fi
    :: is_answered[entry]
    :: atomic {
        is_read[entry] && !is_answered[entry] ->
        joined[entry]--;
        event(Request, number, "dropped")
        goto done
    }
    fi;
    atomic {
        joined[entry]--;
#ifndef JOINED_IS_NOT_CHECKED
        if
        :: !is_new && !is_second && !is_valid(entry) -> is_second = true; goto find
        :: else
        fi;
#endif
        if
        :: has_login[entry] ->
            event(Request, number, "200")
            claim(revoked_means_revoked, !is_later)
        :: else -> event(Request, number, "401")
        fi
    }
done:
    atomic {
        entry = 0;
        is_new = false;
        is_second = false;
        is_later = false;
        is_login = false
#ifndef TRACES
        ;
        goto begin
#endif
    }
}

/* src/leased/logouts.rs::log_out_everywhere */
proctype Logout(byte number) {
    atomic {
        event(Logout, number, "begin")
        for_each_entry(invalidate_entry)
#ifdef WAITED_FROM_BEFORE_WRITE
        counts = true
#endif
    }
    atomic {
        event(Logout, number, "log_out")
        revoked = true;
#ifndef TRACES
        /* The answer comes later. */
    }
    atomic {
#endif
        /* src/leased/logouts.rs::wait_for_all_nodes */
        counts = true;
#ifndef INVALIDATED_ONCE
        for_each_entry(invalidate_entry)
#endif
    }
    waited == WAIT || is_over;
    atomic { event(Logout, number, "200") acknowledged = true }
}

init {
    atomic {
#ifdef TRACES
        perhaps(Logout, 0, run Logout(0))
        perhaps(Request, 0, run Request(0, 0))
        perhaps(Request, 1, run Request(1, 0))
        perhaps(Request, 2, run Request(2, 0))
        perhaps(Request, 3, run Request(3, 0))
        perhaps(Time, 0, run Time(0))
#else
        run Time();
#ifdef AT_ONCE
        run Request(0, 0);
        run Request(1, 0);
#else
        run Request(0, 1);
        run Request(1, 1);
#endif
        run Logout(0)
#endif
    }
    all_done()
}
