/* The first login of a person at one node, while another node receives the logout of their subject, which is
 * no user yet.
 *
 * Bounds: 2 nodes, 1 first login at either, 1 logout at node 0, 1 login after its answer, 1 request, 1
 * write that fails before or after its effect, and a clock that ticks at any reading. WITHOUT_REVOCATIONS: the user store
 * keeps none.
 *
 * run:
 * run:   WITHOUT_REVOCATIONS ONE_NODE
 * break: NOT_NOTED -> revoked_means_revoked
 * break: NOT_LOOKED_UP -> revoked_means_revoked
 * break: ONCE -> revoked_means_revoked
 * break: WITHOUT_REVOCATIONS ONE_NODE NOT_REMEMBERED -> revoked_means_revoked
 * break: NEVER_FORGOTTEN -> a_new_login_works
 * limit: WITHOUT_REVOCATIONS -> revoked_means_revoked
 * traces:
 * refused: NOT_NOTED
 * refused: NOT_LOOKED_UP
 * refused: ONCE
 * hidden: Login.send Logout.at Request.at Request.send
 */
#include "claims.h"
#include "traces.h"

#define LAST_TICK 3

bool revoked_means_revoked = true, a_new_login_works = true;

/* The user store: src/stores/memory.rs. */
byte clock = 1;
#ifdef TRACES
byte failures = 9;
#else
byte failures = 1;
#endif
bool is_user;
byte logged_out_at, last_login_at;
byte noted_at; /* src/identity/revocation_key.rs::RevocationKey, UnknownSubject */

/* Node 0: src/revocation/unknown_subjects.rs and src/revocation/queue.rs. */
byte remembered_at;
bool is_pending;

byte stamp[2];
byte begun; /* set of logins */
bool proven_before; /* whether the first login was proven before the logout arrived */
bool later[2]; /* whether a login began after the answer */
bool arrived, acknowledged;

inline read_clock(time) {
#ifdef TRACES
    clock++; /* the clock of the tests always does */
#else
    if
    :: true
    :: clock < LAST_TICK -> clock++
    fi;
#endif
    time = clock
}

inline may_fail(failed) {
    if
    :: failed = false
    :: failures > 0 -> failures--; failed = true
    fi
}

#define outlives(login, logout) ((logout) == 0 || (login) > (logout))

/* src/routes/callback.rs::prove, src/auth/begin_login.rs::begin_login */
proctype Login(byte login; byte node) {
    byte seen_logout, seen_note, time;

end_later_login:
    atomic {
        login == 0 || acknowledged ->
#ifdef TRACES
        at_either_node(Login, login, node)
#endif
        later[login] = acknowledged
    };
    atomic { event(Login, login, "now") read_clock(stamp[login]) };
    /* src/routes/callback.rs::exchange */
    atomic {
        event(Login, login, "exchange")
        if
        :: login == 0 -> proven_before = !arrived
        :: else
        fi
    };
    /* src/users/identity_store.rs::find_or_create */
    atomic { event(Login, login, "find_or_create") is_user = true };
    /* src/users/user_store.rs::log_in */
    atomic {
        event(Login, login, "log_in")
        read_clock(time);
        last_login_at = max(last_login_at, time);
        time = 0
    };
    /* src/users/user_store.rs::check_login */
    atomic { event(Login, login, "check_login") seen_logout = logged_out_at };
    /* src/auth/begin_login.rs::unknown_subject_logged_out_at */
#if !defined(WITHOUT_REVOCATIONS) && !defined(NOT_LOOKED_UP)
    atomic { event(Login, login, "revoked_at") seen_note = noted_at };
#endif
    /* src/revocation/queue.rs::contains, before the subjects that node 0 remembers */
    if
    :: node == 0 && is_pending -> goto refused
    :: else
    fi;
    if
    :: node == 0 && !outlives(stamp[login], remembered_at) -> goto refused
    :: else
    fi;
    if
    :: outlives(stamp[login], seen_logout) && outlives(stamp[login], seen_note) ->
        begun = begun | bit(login);
#ifdef TRACES
        event_on(Login, login, "create", login)
        event(Login, login, "303")
#endif
        goto done
    :: else
    fi;
refused:
    atomic { event(Login, login, "403") claim(a_new_login_works, !later[login]) };
done:
    atomic { seen_logout = 0; seen_note = 0 }
}

/* src/revocation/write.rs::subject: the users, or else the clock after the look-up. */
inline log_out_subject(unknown_at) {
    do
    :: atomic {
        may_fail(failed);
        if
        :: failed && failures > 0 -> event(Logout, logout, "fails")
        :: else ->
            event(Logout, logout, "log_out")
            if
            :: is_user -> logged_out_at = max(clock, max(logged_out_at, last_login_at) + 1); unknown_at = 0
            :: else -> unknown_at = 1
            fi
        fi;
        if
        :: failed -> failed = false
        :: else -> break
        fi
    }
    od;
    if
    :: unknown_at > 0 -> atomic { event(Logout, logout, "now") read_clock(unknown_at) }
    :: else
    fi
}

/* src/revocation/logout.rs::log_out_subject, at node 0 */
proctype Logout(byte logout) {
    byte unknown_at, again;
    bool failed;

    atomic { event(Logout, logout, "begin") arrived = true; is_pending = true };
    log_out_subject(unknown_at);
    if
    :: unknown_at == 0 -> goto written
    :: else
    fi;
#ifndef NOT_REMEMBERED
    remembered_at = max(unknown_at, remembered_at + 1);
#endif
#if !defined(WITHOUT_REVOCATIONS) && !defined(NOT_NOTED)
    /* src/revocation/write.rs::revoke, src/users/user_store.rs::revoke: above the last login */
#ifdef TRACES
    event(Logout, logout, "now") /* how long the note is kept */
#endif
    atomic { event(Logout, logout, "revoke") noted_at = max(clock, max(noted_at, last_login_at) + 1) };
#endif
#ifndef ONCE
    log_out_subject(again);
#endif
written:
    /* The ticket is removed, and the sender receives 200 or 204. A round trip takes longer than stamps are raised. */
#ifdef NEVER_FORGOTTEN
    is_pending = true;
#else
    is_pending = false;
#endif
    atomic {
        if
        :: unknown_at > 0 && again > 0 -> event(Logout, logout, "404")
        :: else -> event(Logout, logout, "200")
        fi;
        acknowledged = true;
        clock = max(clock, max(logged_out_at, max(noted_at, remembered_at))) + 1;
        unknown_at = 0;
        again = 0
    }
}

/* src/auth/check.rs::valid_login at either node */
proctype Request(byte request) {
    byte login;
    bool is_later;

end_without_login:
    atomic {
        turn(Request, request)
        if
        :: has(begun, 0) -> login = 0
        :: has(begun, 1) -> login = 1
        fi;
        event_on(Request, request, "load", login)
        is_later = acknowledged
    }
    atomic {
        event(Request, request, "check_login")
        if
        :: outlives(stamp[login], logged_out_at) ->
            event(Request, request, "200")
            claim(revoked_means_revoked, !(is_later && login == 0 && proven_before))
        :: else ->
            event(Request, request, "401")
            claim(a_new_login_works, !later[login])
        fi;
        login = 0;
        is_later = false
    }
}

init {
    atomic {
#ifdef TRACES
        perhaps(Login, 0, run Login(0, 0))
        perhaps(Login, 1, run Login(1, 0))
        perhaps(Logout, 0, run Logout(0))
        perhaps(Request, 0, run Request(0))
        perhaps(Request, 1, run Request(1))
#else
        run Logout(0);
        if
        :: run Login(0, 0)
#ifndef ONE_NODE
        :: run Login(0, 1)
#endif
        fi;
        run Login(1, 0);
        run Request(0)
#endif
    }
    all_done()
}
