/* A browser, a copy of its cookie, and where logins are kept: renewals, a new login, a sign-out and a logout.
 *
 * Bounds: 2 logins of one browser (the second replaces the first), a copy of either cookie, 2 requests that
 * renew, 1 sign-out, 1 logout of the user, and answers that reach the browser in any order. Logins are in a
 * session store, where another session layer saves a record that it has read. SEALED: they are in the cookie,
 * with the last activity in a second one. Idle times are left out. WITHOUT_REVOCATIONS: the user store keeps no ended logins.
 *
 * run:
 * run:   SEALED
 * break: NOT_REVOKED -> no_resurrection
 * break: SEALED NOT_REVOKED -> no_resurrection
 * break: ANSWERED_BEFORE_REVOKED -> no_resurrection
 * break: REPLACED_GOES_ON -> no_resurrection
 * break: SEALED RENEWAL_SETS_LOGIN -> the_newer_login_stays
 * break: SEALED ACTIVITY_OF_ANY_LOGIN -> activity_is_its_own
 * break: REVOKED_BY_USER -> a_new_login_works
 * break: SEALED RENEWAL_STAMPS_ANEW -> revoked_means_revoked
 * limit: WITHOUT_REVOCATIONS -> no_resurrection
 * traces:
 * refused: NOT_REVOKED
 * refused: REPLACED_GOES_ON
 * refused: REVOKED_BY_USER
 * traces: SEALED
 * refused: NOT_REVOKED
 * hidden: NewLogin.exchange NewLogin.find_or_create NewLogin.revoked_at LogOut.now
 * hidden: NewLogin.at SignOut.at LogOut.at Request.at
 */
#include "claims.h"
#include "traces.h"

#define NONE 2

bool revoked_means_revoked = true, no_resurrection = true;
bool a_new_login_works = true, the_newer_login_stays = true, activity_is_its_own = true;

/* The user store. */
byte clock = 2;
byte logged_out_at;
byte last_login_at = 1;
byte revoked; /* set of logins: RevocationKey::Login */

/* The queue: src/revocation/queue.rs::LogoutQueue. */
byte ends_pending; /* set of logins */
bool logout_pending;

/* Logins: src/sessions/record.rs. The browser has the first one, and copies may exist. */
byte stamp[2];
byte issued = 1; /* set of logins whose cookie exists */
byte records = 1; /* set of logins in the session store */

/* The browser. */
byte jar = 0; /* the login whose cookie it has */
byte activity = 0; /* the login of its activity cookie */

/* Answers on their way to the browser. */
bool login_answer, sign_out_answer;
byte renewal_answers; /* set of logins */

/* What was answered. */
byte signed_out; /* set of logins */
bool logged_out_before[2]; /* whether a logout is answered that must end the login */
bool sign_out_began, new_login_received;
bool logout_arrived;

#ifdef SEALED
/* src/sessions/sealed.rs::open: the cookie is the login. */
#define found(login) true
#else
/* src/sessions/stored.rs::load */
#define found(login) has(records, login)
#endif

/* src/users/comparison.rs::compare */
#define valid(login) (stamp[login] > logged_out_at && !has(revoked, login))

/* src/auth/check.rs::has_pending_logout */
#define pending(login) (logout_pending || has(ends_pending, login))

/* The id of a login is revoked. */
inline revoke(login) {
#if !defined(NOT_REVOKED) && !defined(WITHOUT_REVOCATIONS)
#ifdef REVOKED_BY_USER
    revoked = 3
#else
    revoked = revoked | bit(login)
#endif
#else
    skip
#endif
}

/* src/auth/end_login.rs::end_login: the id is revoked, then the record is deleted. The end of a login that is
 * pending already is only waited for: src/auth/end_login.rs::until_signed_out. */
#define end_login(process, number, login) \
    if \
    :: d_step { !has(ends_pending, login) -> ends_pending = ends_pending | bit(login) }; \
        fails(process, number) \
        atomic { event(process, number, "revoke") revoke(login) }; \
        ends_pending = ends_pending & ~bit(login) \
    :: has(ends_pending, login) -> !has(ends_pending, login); !logout_pending \
    fi; \
    delete(process, number, login)

#ifdef SEALED
#define delete(process, number, login) skip
#else
#define delete(process, number, login) \
    atomic { event_on(process, number, "delete", login) records = records & ~bit(login) }
#endif

/* src/auth/check.rs::check: find, compare, renew. */
proctype Request(byte request) {
    byte login;
    bool from_browser, ended, too_late, served;
#ifdef SEALED
    byte counted;
#endif

    atomic {
        turn(Request, request)
        if
        :: jar != NONE -> login = jar; from_browser = true
        :: login = 0
        :: has(issued, 1) -> login = 1
        fi;
        event_on(Request, request, "send", login)
#ifdef TRACES
        from_browser = false;
#endif
        ended = has(signed_out, login);
        too_late = logged_out_before[login];
#ifdef SEALED
        /* src/sessions/sealed.rs::last_seen_at: an activity of another login counts as absent. */
        counted = (from_browser -> activity : NONE);
#ifndef ACTIVITY_OF_ANY_LOGIN
        if
        :: counted != login -> counted = NONE
        :: else
        fi;
#endif
        claim(activity_is_its_own, counted == login || counted == NONE);
        counted = 0
#endif
    }
#ifdef SEALED
    served = !pending(login);
#else
    atomic { event_on(Request, request, "load", login) served = found(login) }
    served = served && !pending(login);
#endif
    /* src/users/user_store.rs::check_login, src/users/comparison.rs::compare */
    atomic {
        if
        :: served -> event(Request, request, "check_login") served = valid(login)
        :: else
        fi;
        claim(no_resurrection, !served || !ended);
        claim(revoked_means_revoked, !served || !too_late)
    }
    if
    :: served
    :: else -> goto done
    fi;
    /* src/auth/check.rs::renew. A save creates a record that was deleted. */
    atomic {
#ifdef SEALED
#ifdef RENEWAL_STAMPS_ANEW
        stamp[login] = clock;
#endif
        if
        :: from_browser -> renewal_answers = renewal_answers | bit(login)
        :: else
        fi
#else
        if
        :: event_on(Request, request, "save", login) records = records | bit(login)
#ifdef TRACES
        :: true /* It was used a moment ago. */
#endif
        fi
#endif
    }
done:
#ifdef TRACES
    if
    :: served -> event(Request, request, "200")
    :: else -> event(Request, request, "401")
    fi;
#endif
    atomic { login = 0; from_browser = false; ended = false; too_late = false; served = false }
}

/* The answers arrive in any order: src/sessions/backend.rs::begin, renewal and removals. */
proctype Browser() {
end_browser:
    do
    :: d_step { login_answer ->
        login_answer = false;
        jar = 1;
        activity = 1;
        new_login_received = true
    }
    :: d_step { renewal_answers != 0 ->
        activity = (has(renewal_answers, 0) -> 0 : 1);
#ifdef RENEWAL_SETS_LOGIN
        jar = activity;
#endif
        renewal_answers = renewal_answers & ~bit(activity)
    }
    :: d_step { sign_out_answer -> sign_out_answer = false; jar = NONE; activity = NONE }
    od
}

/* At any time after the browser has received its new login. */
proctype Watch() {
end_watch:
    d_step {
        new_login_received && !sign_out_began ->
        claim(the_newer_login_stays, jar == 1);
        claim(a_new_login_works, logout_arrived || (found(1) && valid(1)))
    }
}

/* src/auth/begin_login.rs::begin_login, of a request with the first login. */
proctype NewLogin(byte login) {
    byte earlier, seen_logout;

    atomic {
        earlier = jar;
        if
        :: earlier == NONE -> event(NewLogin, login, "send")
        :: else -> event_on(NewLogin, login, "send", earlier)
        fi
    };
    atomic { event(NewLogin, login, "now") clock++; stamp[1] = clock };
    atomic { event(NewLogin, login, "log_in") clock++; last_login_at = max(last_login_at, clock) };
    atomic { event(NewLogin, login, "check_login") seen_logout = logged_out_at };
    /* src/revocation/queue.rs::contains */
    if
    :: stamp[1] > seen_logout && !logout_pending
    :: else -> goto refused
    fi;
    /* src/auth/begin_login.rs::write_login */
#ifndef SEALED
    atomic {
        if
        :: earlier != NONE ->
            event_on(NewLogin, login, "load", earlier)
            if
            :: found(earlier)
            :: else -> earlier = NONE
            fi
        :: else
        fi
    };
    event_on(NewLogin, login, "create", login)
#endif
    d_step { records = records | bit(1); issued = issued | bit(1) };
#ifndef REPLACED_GOES_ON
    /* src/auth/begin_login.rs::replace */
    if
    :: earlier == 0 -> end_login(NewLogin, login, earlier)
    :: else
    fi;
#endif
    atomic {
        event(NewLogin, login, "303")
        if
        :: earlier == 0 -> signed_out = signed_out | bit(0)
        :: else
        fi;
#ifdef TRACES
        jar = 1 /* The browsers of the tests receive an answer at once. */
#else
        login_answer = true
#endif
    };
    goto done;
refused:
    event(NewLogin, login, "403")
done:
    atomic { earlier = 0; seen_logout = 0 }
}

/* src/auth/end_login.rs::sign_out, with the cookie that the browser has. */
proctype SignOut(byte number) {
    byte login;
    bool from_browser, ended;

    atomic {
        turn(SignOut, number)
        sign_out_began = true;
        if
        :: jar != NONE -> login = jar; from_browser = true
#ifdef TRACES
        :: login = 0
        :: has(issued, 1) -> login = 1
#endif
        fi;
        event_on(SignOut, number, "send", login)
    };
#ifndef SEALED
    atomic { event_on(SignOut, number, "load", login) ended = !found(login) };
    if
    :: ended -> goto answer
    :: else
    fi;
#endif
#ifdef ANSWERED_BEFORE_REVOKED
    signed_out = signed_out | bit(login);
#endif
    /* src/auth/end_login.rs::has_ended: a logout a moment ago may have kept the login under another cookie. */
    atomic { event(SignOut, number, "check_login") ended = has(revoked, login) };
    if
    :: ended -> delete(SignOut, number, login)
    :: else -> end_login(SignOut, number, login)
    fi;
answer:
    atomic {
        event(SignOut, number, "303")
        signed_out = signed_out | bit(login);
#ifdef TRACES
        jar = (from_browser -> NONE : jar)
#else
        sign_out_answer = from_browser
#endif
    }
done:
    atomic { login = 0; from_browser = false; ended = false }
}

/* src/auth/log_out.rs::log_out */
proctype LogOut(byte number) {
    bool ends_first, ends_second;

    atomic {
        event(LogOut, number, "begin")
        logout_arrived = true;
        logout_pending = true;
        ends_first = true;
        ends_second = has(issued, 1)
    };
    fails(LogOut, number)
    atomic {
        event(LogOut, number, "log_out")
        clock++;
        logged_out_at = max(clock, max(logged_out_at, last_login_at) + 1)
    };
    logout_pending = false;
    atomic {
        event(LogOut, number, "200")
        logged_out_before[0] = ends_first;
        logged_out_before[1] = ends_second;
        ends_first = false;
        ends_second = false
    }
}

#if !defined(SEALED) && !defined(TRACES)
/* A session layer of the application on the same store. Its save creates a record that was deleted. */
proctype OtherLayer() {
    byte login;

end_other_layer:
    atomic {
        if
        :: has(records, 0) -> login = 0
        :: has(records, 1) -> login = 1
        fi
    };
    atomic { records = records | bit(login); login = 0 }
}
#endif

init {
    atomic {
        stamp[0] = 1;
#ifdef TRACES
        perhaps(LogOut, 0, run LogOut(0))
        perhaps(NewLogin, 1, run NewLogin(1))
        perhaps(Request, 0, run Request(0))
        perhaps(Request, 1, run Request(1))
        perhaps(Request, 2, run Request(2))
        perhaps(Request, 3, run Request(3))
        perhaps(SignOut, 0, run SignOut(0))
        perhaps(SignOut, 1, run SignOut(1))
#else
        run Browser();
        run Watch();
        run Request(0);
        run Request(1);
        run NewLogin(1);
        run SignOut(0);
#ifndef SEALED
        run OtherLayer();
#endif
        run LogOut(0)
#endif
    }
    all_done()
}
