/* One user, two nodes, one user store: a login, logouts, and a request while the store fails.
 *
 * Bounds: 2 nodes, 1 login, 2 logouts, 1 request at any node, 1 write that
 * fails before or after its effect, and a clock that ticks at any reading. A request writes
 * nothing, so that one stands for all. BACK: the clock steps back once, by any
 * amount, and reaches no earlier time while the login is under way; with TICKS_ON it does. CRASH: node 0
 * stops at any time.
 *
 * run:
 * run:   BACK
 * run:   CRASH
 * break: ACKNOWLEDGED_EARLY -> no_lost_logout
 * break: NOT_RETRIED -> no_lost_logout
 * break: NOT_REFUSED -> refused_meanwhile
 * break: STORE_BEFORE_QUEUE -> refused_meanwhile
 * break: EQUAL_IS_VALID -> revoked_means_revoked
 * break: STAMPED_AFTER_PROOF -> revoked_means_revoked
 * break: NOT_SETTLED -> a_new_login_works
 * break: SUPERSEDED_IS_WRITTEN -> a_new_login_works
 * break: BACK NOT_ABOVE_LAST_LOGIN -> revoked_means_revoked
 * break: BACK CLOCK_NOT_COMPARED -> revoked_means_revoked
 * break: BACK NOT_ABOVE_PREVIOUS -> never_back
 * limit: BACK TICKS_ON -> revoked_means_revoked
 * limit: ABANDONED_IS_WRITTEN -> a_new_login_works
 * traces:
 * refused: NOT_REFUSED
 * refused: STORE_BEFORE_QUEUE
 * refused: EQUAL_IS_VALID
 * refused: STAMPED_AFTER_PROOF
 * refused: SUPERSEDED_IS_WRITTEN
 * hidden: Login.send Login.find_or_create Login.revoked_at Logout.now Request.send
 */
#include "claims.h"
#include "traces.h"

#ifdef TRACES
#define LOGINS 2
#else
#define LOGINS 1
#endif
#define LOGOUTS 2
#ifdef CRASH
#define LAST_TICK 2
#else
#define LAST_TICK 3
#endif

bool revoked_means_revoked = true, a_new_login_works = true, never_back = true;
bool no_lost_logout = true, refused_meanwhile = true;

/* The user store: src/stores/postgres/statements.rs, each statement in one step. */
byte clock = 1;
bool ticks = true;
byte logged_out_at, last_login_at;
#ifdef TRACES
byte failures = 9;
#else
byte failures = 1;
#endif

/* The queue of each node: src/revocation/queue.rs::LogoutQueue. One key, the user. */
byte next[2] = 1;
byte settled_below[2];
byte waiting; /* set of logouts with a ticket */
byte number[LOGOUTS];
byte place[LOGOUTS]; /* the node of a logout */
bool crashed; /* node 0 */

/* What happened, for the assertions: sets of logouts. */
byte arrived, acknowledged, written;

byte stamp[LOGINS];
byte started; /* set of logins whose record is written */
byte earlier_than[LOGINS]; /* logouts that had not arrived when the credentials were proven */
byte later_than[LOGINS]; /* logouts that can no longer end the login */

#ifdef CRASH
#define stopped(node) (crashed && (node) == 0)
#else
#define stopped(node) false
#endif

/* The clock may tick before it is read. Only concurrent readings are equal:
 * src/stores/postgres/mod.rs::now. */
inline read_clock(time) {
#ifdef TRACES
    clock++; /* the clock of the tests always does */
#else
    if
    :: true
    :: clock < LAST_TICK && ticks -> clock++
    fi;
#endif
    time = clock
}

/* Whether a call of the store fails before its effect. */
inline may_fail(failed) {
    if
    :: failed = false
    :: failures > 0 -> failures--; failed = true
    fi
}

/* src/auth/check.rs::has_pending_logout, src/revocation/queue.rs::contains: any ticket of the node. */
#define pending(node) \
    ((has(waiting, 0) && place[0] == (node)) || (has(waiting, 1) && place[1] == (node)))

/* src/timestamp.rs::outlives */
#ifdef EQUAL_IS_VALID
#define outlives(login, logout) ((logout) == 0 || (login) >= (logout))
#else
#define outlives(login, logout) ((logout) == 0 || (login) > (logout))
#endif

/* Logouts that were acknowledged, and earlier ones of the same node: src/revocation/queue.rs::settle. */
inline note_later_than(login) {
    later_than[login] = acknowledged;
    if
    :: has(acknowledged, 1) && has(arrived, 0) && place[0] == place[1] && number[0] < number[1] ->
        later_than[login] = later_than[login] | bit(0)
    :: has(acknowledged, 0) && has(arrived, 1) && place[0] == place[1] && number[1] < number[0] ->
        later_than[login] = later_than[login] | bit(1)
    :: else
    fi
}

/* src/routes/callback.rs::prove, then src/auth/begin_login.rs::begin_login. */
proctype Login(byte login; byte node) {
    byte seen_logout, seen_clock;

#ifdef TRACES
    at_either_node(Login, login, node)
#endif
#ifndef STAMPED_AFTER_PROOF
    atomic { event(Login, login, "now") read_clock(stamp[login]); note_later_than(login) }
#endif
    /* src/routes/callback.rs::exchange: the credentials are proven. */
    atomic { event(Login, login, "exchange") earlier_than[login] = ~arrived & 3 }
#ifdef STAMPED_AFTER_PROOF
    atomic { event(Login, login, "now") read_clock(stamp[login]); note_later_than(login) }
#endif
    /* src/users/user_store.rs::log_in */
    atomic {
        if
        :: stopped(node) -> goto done
        :: else
        fi;
        event(Login, login, "log_in")
        read_clock(seen_clock);
        last_login_at = max(last_login_at, seen_clock)
    }
    /* src/users/user_store.rs::check_login, for the comparison of begin_login */
    atomic {
        if
        :: stopped(node) -> goto done
        :: else
        fi;
        event(Login, login, "check_login")
        seen_logout = logged_out_at;
        seen_clock = clock
    }
#ifndef CLOCK_NOT_COMPARED
    if
    :: seen_clock < stamp[login] -> goto done
    :: else
    fi;
#endif
    /* src/revocation/queue.rs::contains, then write_login */
    atomic {
        if
        :: outlives(stamp[login], seen_logout) && !pending(node) && !stopped(node) ->
            started = started | bit(login)
        :: else
#ifndef BACK
            -> claim(a_new_login_works, stopped(node) || (arrived & ~later_than[login]) != 0)
#endif
        fi
    }
#ifdef TRACES
    if
    :: has(started, login) -> event_on(Login, login, "create", login) event(Login, login, "303")
    :: else -> event(Login, login, "403")
    fi;
#endif
done:
    seen_logout = 0;
    seen_clock = 0
}

/* The effect of src/users/user_store.rs::log_out, in one statement. */
inline log_out() {
    d_step {
        previous = logged_out_at;
        logged_out_at = clock;
#ifndef NOT_ABOVE_PREVIOUS
        logged_out_at = max(logged_out_at, previous + 1);
#endif
#ifndef NOT_ABOVE_LAST_LOGIN
        logged_out_at = max(logged_out_at, last_login_at + 1);
#endif
        written = written | arrived;
        claim(never_back, logged_out_at > previous);
        previous = 0
    }
}

/* src/routes/notice.rs::handle, src/revocation/logout.rs::log_out_user. The answer waits as long as the
 * patience of src/revocation/queue.rs::patience, which may end at any attempt. */
proctype Logout(byte logout; byte node) {
    bool failed, impatient;
    byte previous, other = 1 - logout;

#ifdef TRACES
    at_either_node(Logout, logout, node)
    /* The notice is verified, or the application has called. */
    event(Logout, logout, "begin")
#endif
    /* src/revocation/queue.rs::enter */
    atomic {
        place[logout] = node;
        arrived = arrived | bit(logout);
        number[logout] = next[node];
        next[node]++;
        waiting = waiting | bit(logout)
    }
#ifdef ACKNOWLEDGED_EARLY
    goto answer;
#endif
attempt:
#ifdef TRACES
    if
    :: true
    :: !impatient -> event(Logout, logout, "503") impatient = true
    fi;
#endif
    /* src/revocation/write.rs::until_written */
    atomic {
        if
        :: stopped(node) -> goto done
        :: else
        fi;
#ifndef TRACES
        if
        :: true
        :: impatient = true
        fi;
#endif
#ifndef SUPERSEDED_IS_WRITTEN
        if
        :: settled_below[node] > number[logout] -> goto leave
        :: else
        fi;
#endif
        may_fail(failed);
        if
        :: !failed -> event(Logout, logout, "log_out") log_out()
        :: failed && failures > 0 -> event(Logout, logout, "lost") log_out() /* the answer is lost */
        :: failed -> event(Logout, logout, "fails")
        fi
    }
    atomic {
        if
        :: !failed
        :: failed ->
            failed = false;
#ifndef NOT_RETRIED
            goto attempt
#endif
        fi
    }
    /* src/revocation/queue.rs::settle: earlier tickets are removed. */
    atomic {
        if
        :: stopped(node) -> goto done
        :: else
        fi;
#ifndef NOT_SETTLED
        if
        :: has(waiting, other) && place[other] == node && number[other] < number[logout] ->
            waiting = waiting & ~bit(other)
        :: else
        fi;
#endif
        settled_below[node] = max(settled_below[node], number[logout])
    }
leave:
    /* src/revocation/queue.rs::remove */
    waiting = waiting & ~bit(logout);
#ifdef ACKNOWLEDGED_EARLY
answer:
#endif
    /* The sender receives 200, or has received 503. A round trip takes longer than the stamps are raised. */
    atomic {
        if
        :: impatient || stopped(node)
        :: else ->
            event(Logout, logout, "200")
            acknowledged = acknowledged | bit(logout);
#ifndef BACK
            clock = max(clock, logged_out_at) + 1;
#endif
            claim(no_lost_logout, has(written, logout))
        fi;
        impatient = false
    }
#ifdef ABANDONED_IS_WRITTEN
    atomic { log_out() }
#endif
done:
    claim(no_lost_logout, stopped(node) || has(written, logout))
}

/* src/auth/check.rs::valid_login */
proctype Request(byte request) {
    byte login, node, ended_before, refused, seen_logout;
    bool is_pending;

#ifdef TRACES
    at_either_node(Request, request, node)
#endif
end_without_login:
    atomic {
        turn(Request, request)
        if
        :: has(started, 0)
#if LOGINS > 1
        :: has(started, 1) -> login = 1
#endif
        fi;
        event_on(Request, request, "load", login)
#ifndef TRACES
        if
        :: !stopped(0) -> node = 0
        :: node = 1
        fi;
#endif
        ended_before = acknowledged & earlier_than[login];
        refused = arrived & earlier_than[login];
        if
        :: place[0] != node -> refused = refused & ~bit(0)
        :: else
        fi;
        if
        :: place[1] != node -> refused = refused & ~bit(1)
        :: else
        fi
    }
#ifndef STORE_BEFORE_QUEUE
    is_pending = pending(node);
#endif
    /* src/users/user_store.rs::check_login. A store that fails is 503. */
    atomic {
        if
        :: is_pending
        :: else -> event(Request, request, "check_login") seen_logout = logged_out_at
        fi
    }
#ifdef STORE_BEFORE_QUEUE
    is_pending = pending(node);
#endif
#ifdef NOT_REFUSED
    is_pending = false;
#endif
    /* src/users/comparison.rs::compare */
    atomic {
        if
        :: stopped(node)
        :: else ->
            if
            :: !is_pending && outlives(stamp[login], seen_logout) ->
                claim(revoked_means_revoked, ended_before == 0);
                claim(refused_meanwhile, refused == 0);
                event(Request, request, "200")
            :: else ->
#ifndef BACK
                claim(a_new_login_works, (arrived & ~later_than[login]) != 0);
#endif
                event(Request, request, "401")
            fi
        fi;
        ended_before = 0;
        refused = 0;
        seen_logout = 0;
        is_pending = false
    }
}

#ifdef CRASH
/* A process that stops loses its queue. */
proctype Crash() {
    atomic {
        crashed = true;
        if
        :: place[0] == 0 -> waiting = waiting & ~bit(0)
        :: else
        fi;
        if
        :: place[1] == 0 -> waiting = waiting & ~bit(1)
        :: else
        fi
    }
}
#endif

#ifdef BACK
proctype StepBack() {
    atomic {
        if
        :: clock > 1 -> clock = clock - 1
        :: clock > 2 -> clock = clock - 2
        :: clock > 3 -> clock = clock - 3
        :: true
        fi;
#ifndef TICKS_ON
        ticks = false
#endif
    }
}
#endif

init {
    atomic {
#ifdef TRACES
        perhaps(Login, 0, run Login(0, 0))
        perhaps(Login, 1, run Login(1, 0))
        perhaps(Logout, 0, run Logout(0, 0))
        perhaps(Logout, 1, run Logout(1, 0))
        perhaps(Request, 0, run Request(0))
        perhaps(Request, 1, run Request(1))
        perhaps(Request, 2, run Request(2))
#else
        run Login(0, 0);
        run Logout(0, 0);
        if
        :: run Logout(1, 0)
        :: run Logout(1, 1)
        fi;
        run Request(0);
#endif
#ifdef CRASH
        run Crash();
#endif
#ifdef BACK
        run StepBack();
#endif
    }    all_done()
}
