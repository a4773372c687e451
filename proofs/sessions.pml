/* A browser, a copy of its cookie, and where logins are kept: renewals, a new login, a sign-out and a logout.
 *
 * Bounds: 2 logins of one browser (the second replaces the first), a copy of either cookie, 2 requests that
 * renew, 1 sign-out, 1 logout of the user, and answers that reach the browser in any order. Logins are in a
 * session store; SEALED: they are in the cookie, with the last activity in a second one. Idle times are
 * left out. WITHOUT_REVOCATIONS: the user store keeps no ended logins.
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
 */
#include "claims.h"

#define NONE 2

bool revoked_means_revoked = true, no_resurrection = true;
bool a_new_login_works = true, the_newer_login_stays = true, activity_is_its_own = true;

/* The user store. */
byte clock = 2;
byte logged_out_at;
byte last_login_at = 1;
byte revoked; /* set of logins: RevocationKey::Login */

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

/* src/auth/end_login.rs::end_login: the id is revoked, then the record is deleted. */
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

/* src/auth/check.rs::check: find, compare, renew. */
proctype Request() {
    byte login;
    bool from_browser, ended, too_late, served;
#ifdef SEALED
    byte counted;
#endif

    atomic {
        if
        :: jar != NONE -> login = jar; from_browser = true
        :: login = 0
        :: has(issued, 1) -> login = 1
        fi;
        ended = has(signed_out, login);
        too_late = logged_out_before[login];
        served = found(login);
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
    /* src/users/user_store.rs::check_login, src/users/comparison.rs::compare */
    atomic {
        served = served && valid(login);
        claim(no_resurrection, !served || !ended);
        claim(revoked_means_revoked, !served || !too_late);
        if
        :: served
        :: else -> goto done
        fi
    }
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
        records = records | bit(login)
#endif
    }
done:
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
proctype NewLogin() {
    byte earlier;

    d_step { clock++; stamp[1] = clock; earlier = jar };
    d_step { clock++; last_login_at = max(last_login_at, clock) };
    if
    :: stamp[1] > logged_out_at
    :: else -> goto done
    fi;
    d_step { records = records | bit(1); issued = issued | bit(1) };
#ifndef REPLACED_GOES_ON
    /* src/auth/begin_login.rs::replace */
    if
    :: earlier == 0 ->
        revoke(0);
        records = records & ~bit(0)
    :: else
    fi;
#endif
    d_step {
        if
        :: earlier == 0 -> signed_out = signed_out | bit(0)
        :: else
        fi;
        login_answer = true
    }
done:
    earlier = 0
}

/* src/auth/end_login.rs::sign_out, with the cookie that the browser has. */
proctype SignOut() {
    byte login;

    atomic { sign_out_began = true; login = jar };
    if
    :: login == NONE || !found(login) -> goto done
    :: else
    fi;
#ifdef ANSWERED_BEFORE_REVOKED
    signed_out = signed_out | bit(login);
#endif
    revoke(login);
    records = records & ~bit(login);
    d_step { signed_out = signed_out | bit(login); sign_out_answer = true }
done:
    login = 0
}

/* src/auth/log_out.rs::log_out */
proctype LogOut() {
    bool ends_first, ends_second;

    d_step { logout_arrived = true; ends_first = true; ends_second = has(issued, 1) };
    d_step { clock++; logged_out_at = max(clock, max(logged_out_at, last_login_at) + 1) };
    d_step { logged_out_before[0] = ends_first; logged_out_before[1] = ends_second; ends_first = false; ends_second = false }
}

init {
    atomic {
        stamp[0] = 1;
        run Browser();
        run Watch();
        run Request();
        run Request();
        run NewLogin();
        run SignOut();
        run LogOut()
    }
}
