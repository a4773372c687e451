/* Two nodes with leased users and the bus over PostgreSQL: node 0 logs a user out, node 1 caches them.
 *
 * Bounds: one login, one logout, and any number of requests, heartbeats, evictions and joins in 7 ticks of
 * true time. The clock of node 1 runs at half the rate of that of node 0, the worst case, and a logout waits
 * twice as long; in the code it is one in a hundred. A pause, a crash and a partition are steps that a node
 * does not take. Both nodes have a lease of one tick. LONGER: node 1 has a lease of two. SHORTER: node 0
 * has. NEVER_JOINED: node 0 has never seen the table. SUSPENDED: the clock of node 1 stops for some ticks.
 * CRASH: the database crashes once, with any number of its latest heartbeats. CUT: from some time on node 1
 * receives nothing, by the connection that it listens with.
 *
 * run:
 * run:   LONGER
 * run:   SHORTER
 * run:   LONGER NEVER_JOINED
 * run:   CRASH
 * run:   CUT
 * break: JOINED_WITHOUT_INVALIDATION -> revoked_means_revoked
 * break: DEADLINE_FROM_ANSWER -> revoked_means_revoked
 * break: CACHED_WITHOUT_ROW -> revoked_means_revoked
 * break: LEASE_FROM_ANSWER -> revoked_means_revoked
 * break: NO_MARGIN -> revoked_means_revoked
 * break: EVICTED_EARLY -> revoked_means_revoked
 * break: MEMBERS_BEFORE_WRITE -> revoked_means_revoked
 * break: ACKNOWLEDGED_FIRST -> revoked_means_revoked
 * break: LONGER JOINED_WITH_ANY_LEASE -> revoked_means_revoked
 * break: LONGER STALE_LEASES -> revoked_means_revoked
 * break: LONGER NEVER_JOINED OWN_LEASE_ONLY -> revoked_means_revoked
 * break: CRASH SEEN_BEFORE_CRASH -> revoked_means_revoked
 * break: CUT HEARTBEAT_ELSEWHERE -> nothing_cached_unheard
 * limit: SUSPENDED -> revoked_means_revoked
 */
#include "claims.h"

#define HORIZON 7
/* src/leased/entries.rs::LONGEST_LEASE */
#define LONGEST 2

bool revoked_means_revoked = true;
bool nothing_cached_unheard = true;

/* The nominal lease of a node, its true length, and how long after a write its logouts wait:
 * src/leased/entries.rs::Lease. */
byte nominal[2];
byte rate[2];
#define lease(node) (nominal[node] * rate[node])
#ifdef NO_MARGIN
#define wait(length) ((length) * rate[0])
#else
#define wait(length) (2 * (length) * rate[0])
#endif

/* The database: the user, and the table clef_members. */
bool revoked;
bool row[2];
byte silent[2]; /* ticks since the last heartbeat in the row */

/* src/leased/postgres/membership.rs::State. A deadline is the ticks that are left. */
bool name[2];
byte deadline[2];
byte candidate[2]; /* the deadline, before the database has answered */
byte known_longest; /* at node 0; 0 if no members were read */

/* The entry of the login at node 1: src/leased/entries.rs::Entry. */
bool entry, current;
byte entry_left;
bool reading, reading_current;
byte reading_left;

/* The logout at node 0. */
bool is_written, acknowledged;
byte since_write;
bool news_sent, waits_for_member, member_acknowledged;

byte ticks;
bool suspended;

/* Whether node 1 receives nothing, and for how many ticks. */
bool cut;
byte since_cut;
#define unheard(node) (cut && (node) == 1)
#ifdef HEARTBEAT_ELSEWHERE
#define unanswered(node) false
#else
/* src/leased/postgres/membership.rs::send_heartbeat: on the listening connection. */
#define unanswered(node) unheard(node)
#endif

inline count_down(timer) {
    if
    :: timer > 0 -> timer--
    :: else
    fi
}

inline count_silence(node) {
    if
    :: row[node] && silent[node] < 3 * nominal[node] -> silent[node]++
    :: else
    fi
}

proctype Time() {
    do
    :: d_step {
        ticks < HORIZON -> ticks++;
        if
        :: is_written && !acknowledged -> since_write++
        :: else
        fi;
        if
        :: cut && since_cut < lease(1) -> since_cut++
        :: else
        fi;
        count_silence(0);
        count_silence(1);
        count_down(deadline[0]);
        count_down(candidate[0]);
        if
        :: suspended
        :: else ->
            count_down(deadline[1]);
            count_down(candidate[1]);
            count_down(entry_left);
            count_down(reading_left)
        fi
    }
    :: ticks == HORIZON -> break
    od
}

/* src/leased/generations.rs::invalidate, of entries and of reads that are running. */
inline invalidate() {
    d_step { entry = false; current = false; entry_left = 0; reading_current = false }
}

/* src/leased/postgres/membership.rs::Membership::drop. The row may remain. */
inline drop_membership(node) {
    d_step { name[node] = false; deadline[node] = 0; candidate[node] = 0 }
    if
    :: d_step { row[node] = false; silent[node] = 0 }
    :: true
    fi
}

/* For STALE_LEASES: the leases as they were last read. */
inline read_leases() {
    known_longest = 1;
    if
    :: row[0] -> known_longest = max(known_longest, nominal[0])
    :: else
    fi;
    if
    :: row[1] -> known_longest = max(known_longest, nominal[1])
    :: else
    fi
}

/* src/leased/postgres/failure_detector.rs::evict_failed, of any node: after three leases, by the fastest clock. */
#ifdef EVICTED_EARLY
#define LEASES 1
#else
#define LEASES 3
#endif
proctype Evict(byte node) {
end_evict:
    do
    :: d_step { row[node] && silent[node] >= LEASES * nominal[node] -> row[node] = false; silent[node] = 0 }
    od
}

#ifdef STALE_LEASES
/* At any time: src/leased/postgres/failure_detector.rs::evict_failed. */
proctype Read() {
    d_step { read_leases() }
}
#endif

#ifdef JOINED_WITH_ANY_LEASE
#define may_join(other) true
#else
/* src/leased/postgres/membership.rs::insert: no member has another lease. */
#define may_join(other) (!row[other] || nominal[0] == nominal[1])
#endif

#if defined(LONGER) || defined(SHORTER)
/* The same in one step each, where the leases differ: the other runs show the steps apart. */
proctype Member(byte node) {
    byte other = 1 - node;

end_member:
    do
    /* src/leased/postgres/membership.rs::join */
    :: d_step {
        ticks < HORIZON && !name[node] && may_join(other) ->
        row[node] = true;
        silent[node] = 0;
        name[node] = true;
        deadline[node] = lease(node);
        if
        :: node == 1 -> entry = false; entry_left = 0
        :: else
        fi
    }
    /* src/leased/postgres/membership.rs::send_heartbeat */
    :: d_step {
        ticks < HORIZON && name[node] && row[node] && (silent[node] > 0 || deadline[node] < lease(node)) ->
        silent[node] = 0;
        deadline[node] = lease(node)
    }
    /* src/leased/postgres/membership.rs::Membership::drop */
    :: atomic {
        ticks < HORIZON && name[node] ->
        name[node] = false;
        deadline[node] = 0;
        if
        :: row[node] = false; silent[node] = 0
        :: true
        fi
    }
    od
}
#else
/* The task of the bus: src/leased/postgres/node.rs::run. */
proctype Member(byte node) {
    byte other = 1 - node;
    bool found;

end_member:
    do
    :: ticks < HORIZON && !name[node] ->
        /* src/leased/postgres/membership.rs::begin: it caches nothing before the first heartbeat. */
        d_step {
            found = may_join(other);
            if
            :: found -> row[node] = true; silent[node] = 0
            :: else
            fi
        }
        if
        :: found ->
#ifndef JOINED_WITHOUT_INVALIDATION
            /* src/leased/listener.rs::lagged */
            if
            :: node == 1 -> invalidate()
            :: else
            fi;
#endif
            d_step { found = false; name[node] = true }
        :: !found
        fi
    :: ticks < HORIZON && name[node] ->
        /* src/leased/postgres/membership.rs::send_heartbeat */
        candidate[node] = lease(node);
        d_step {
            found = row[node] && !unanswered(node);
            if
            :: found -> silent[node] = 0
            :: else
            fi
        }
        if
        :: found ->
            d_step {
                found = false;
#ifdef DEADLINE_FROM_ANSWER
                candidate[node] = lease(node);
#endif
                deadline[node] = candidate[node];
                candidate[node] = 0
            }
        :: else -> drop_membership(node)
        fi
    :: ticks < HORIZON && name[node] -> drop_membership(node)
    od
}
#endif

#ifdef CACHED_WITHOUT_ROW
#define may_cache true
#else
/* src/leased/postgres/membership.rs::may_cache */
#define may_cache (deadline[1] > 0)
#endif

/* src/leased/user_store.rs::check_login at node 1. A request without an entry reads the store. */
proctype Requests() {
    bool is_later;

end_requests:
    do
    :: atomic {
        ticks < HORIZON && !suspended && may_cache && entry && current && entry_left > 0 ->
        claim(revoked_means_revoked, !acknowledged);
        claim(nothing_cached_unheard, !cut || since_cut < lease(1))
    }
#if defined(LONGER) || defined(SHORTER)
    :: d_step {
        ticks < HORIZON && may_cache && !revoked && entry_left < lease(1) ->
        entry = true;
        current = true;
        entry_left = lease(1)
    }
#else
    :: atomic {
        ticks < HORIZON && !suspended && may_cache && !(entry && current && entry_left > 0) ->
        /* src/leased/store.rs::find_or_insert: generation and time are taken before the read. */
        is_later = acknowledged;
        entry = false;
        reading = true;
        reading_current = true;
        reading_left = lease(1)
    }
        atomic {
            if
            :: !revoked ->
                claim(revoked_means_revoked, !is_later);
                entry = true
            :: else
            fi
        }
        d_step {
#ifdef LEASE_FROM_ANSWER
            reading_left = lease(1);
#endif
            if
            :: entry && reading_current && reading_left > 0 ->
                current = true;
                entry_left = reading_left
            :: else -> entry = false; current = false; entry_left = 0
            fi;
            reading = false;
            reading_current = false;
            reading_left = 0;
            is_later = false
        }
#endif
    od
}

/* src/leased/postgres/node.rs::receive, and its acknowledgement. News may be late or lost. */
proctype Listener() {
end_listener:
    news_sent && !cut;
#ifdef ACKNOWLEDGED_FIRST
    member_acknowledged = name[1];
#endif
    invalidate();
#ifndef ACKNOWLEDGED_FIRST
    /* src/leased/postgres/node.rs::receive: only a member does. */
    member_acknowledged = name[1]
#endif
}

/* src/leased/postgres/membership.rs::may_cache, at node 0. With one lease, all that matters is that it waits. */
#if defined(LONGER) || defined(SHORTER)
#define is_member (deadline[0] > 0)
#else
#define is_member true
#endif

/* src/leased/store.rs::lease_wait, src/leased/postgres/mod.rs::longest_lease. Only a member knows that no other node
 * has another lease. */
inline lease_wait(length) {
#ifdef OWN_LEASE_ONLY
    length = nominal[0]
#else
#ifdef STALE_LEASES
    if
    :: known_longest == 0 -> length = LONGEST
    :: else -> length = max(known_longest, nominal[0])
    fi
#else
    if
    :: is_member -> length = nominal[0]
    :: else -> length = LONGEST
    fi
#endif
#endif
}

/* src/leased/logouts.rs::log_out_everywhere */
proctype Logout() {
    byte length;

#ifdef MEMBERS_BEFORE_WRITE
    waits_for_member = row[1];
#endif
    /* src/leased/logouts.rs::wait_for_all_nodes: the time is taken after the write. */
    revoked = true;
    is_written = true;
    if
    /* src/leased/postgres/node.rs::publish, which reads the members after the write */
    :: atomic {
        news_sent = true;
#ifndef MEMBERS_BEFORE_WRITE
        waits_for_member = row[1];
#endif
#ifdef STALE_LEASES
        read_leases()
#endif
    }
        if
        :: !waits_for_member || member_acknowledged || ticks == HORIZON
        :: d_step { lease_wait(length) }
            since_write >= wait(length) || ticks == HORIZON
        fi
    /* It fails, or does not return in time. */
    :: d_step { lease_wait(length) }
        since_write >= wait(length) || ticks == HORIZON
    fi;
    d_step { acknowledged = true; since_write = 0; length = 0 }
}

#ifdef CRASH
/* The rows stay, since joins are durable. The connections end, so what each node has seen of the heartbeats is
 * gone: src/leased/postgres/failure_detector.rs::FailureDetector. */
proctype Crash() {
    d_step {
#ifdef SEEN_BEFORE_CRASH
        silent[0] = 3 * nominal[0];
        silent[1] = 3 * nominal[1]
#else
        silent[0] = 0;
        silent[1] = 0
#endif
    }
}
#endif

#ifdef CUT
proctype Cut() {
    cut = true
}
#endif

#ifdef SUSPENDED
proctype Suspend() {
    suspended = true;
    suspended = false
}
#endif

init {
    atomic {
        nominal[0] = 1;
        nominal[1] = 1;
#ifdef LONGER
        nominal[1] = 2;
#endif
#ifdef SHORTER
        nominal[0] = 2;
#endif
        rate[0] = 1;
        rate[1] = 2;
        row[0] = true;
#if defined(LONGER) || defined(SHORTER)
        if
        :: true
        :: rate[0] = 2
        fi;
        run Evict(0);
#ifdef NEVER_JOINED
        row[0] = false;
#else
        run Member(0);
#endif
#endif
#ifdef STALE_LEASES
        run Read();
#endif
        name[0] = row[0];
        deadline[0] = (row[0] -> lease(0) : 0);
        run Member(1);
#ifndef LONGER
        run Evict(1);
#endif
        run Requests();
        run Listener();
        run Logout();
#ifdef SUSPENDED
        run Suspend();
#endif
#ifdef CRASH
        run Crash();
#endif
#ifdef CUT
        run Cut();
#endif
        run Time()
    }
}
