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
 */
#include "claims.h"

#define LAST_TICK 3

bool revoked_means_revoked = true, a_new_login_works = true;

/* The user store: src/stores/memory.rs. */
byte clock = 1;
byte failures = 1;
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
    if
    :: true
    :: clock < LAST_TICK -> clock++
    fi;
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
        read_clock(stamp[login]);
        later[login] = acknowledged
    };
    /* src/routes/callback.rs::exchange */
    if
    :: login == 0 -> proven_before = !arrived
    :: else
    fi;
    /* src/users/identity_store.rs::find_or_create */
    is_user = true;
    /* src/users/user_store.rs::log_in */
    atomic { read_clock(time); last_login_at = max(last_login_at, time); time = 0 };
    /* src/users/user_store.rs::check_login */
    seen_logout = logged_out_at;
    /* src/auth/begin_login.rs::unknown_subject_logged_out_at */
#if !defined(WITHOUT_REVOCATIONS) && !defined(NOT_LOOKED_UP)
    seen_note = noted_at;
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
        goto done
    :: else
    fi;
refused:
    claim(a_new_login_works, !later[login]);
done:
    atomic { seen_logout = 0; seen_note = 0 }
}

/* src/revocation/write.rs::subject: the users, or else the clock after the look-up. */
inline log_out_subject(unknown_at) {
    do
    :: atomic {
        may_fail(failed);
        if
        :: failed && failures > 0
        :: else ->
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
    :: unknown_at > 0 -> atomic { read_clock(unknown_at) }
    :: else
    fi
}

/* src/revocation/logout.rs::log_out_subject, at node 0 */
proctype Logout() {
    byte unknown_at, again;
    bool failed;

    atomic { arrived = true; is_pending = true };
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
    noted_at = max(clock, max(noted_at, last_login_at) + 1);
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
    d_step {
        acknowledged = true;
        clock = max(clock, max(logged_out_at, max(noted_at, remembered_at))) + 1;
        unknown_at = 0;
        again = 0
    }
}

/* src/auth/check.rs::valid_login at either node */
proctype Request() {
    byte login;
    bool is_later;

end_without_login:
    atomic {
        if
        :: has(begun, 0) -> login = 0
        :: has(begun, 1) -> login = 1
        fi;
        is_later = acknowledged
    }
    atomic {
        if
        :: outlives(stamp[login], logged_out_at) ->
            claim(revoked_means_revoked, !(is_later && login == 0 && proven_before))
        :: else -> claim(a_new_login_works, !later[login])
        fi;
        login = 0;
        is_later = false
    }
}

init {
    atomic {
        run Logout();
        if
        :: run Login(0, 0)
#ifndef ONE_NODE
        :: run Login(0, 1)
#endif
        fi;
        run Login(1, 0);
        run Request()
    }
}
