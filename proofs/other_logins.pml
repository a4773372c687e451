/* Two browsers of one user: each ends all other logins, and one makes a token, while logouts come in between.
 *
 * Bounds: 2 logins, 1 end of all others by each, 1 token of either login or of a kept one, 1 logout of the
 * user, 1 sign-out of a copy of the first browser's cookie, 1 revocation of the logins of everyone, an
 * issuer or a session, and 1 request. Logins are in the cookie; STORED: they are in a session store.
 * FAILS: the end of all others and the write of a kept login may fail. ALONE: only the browsers end each
 * other. A sign-out comes within a minute of the end of all others: after that, one with a cookie that has
 * ended ends nothing. Only in a trace is a logout pending, as that would only refuse more.
 *
 * run:
 * run:   FAILS
 * run:   ALONE
 * run:   STORED ALONE
 * run:   STORED WITHOUT_TOKEN
 * break: KEPT_SINCE_NOW WITHOUT_TOKEN -> revoked_means_revoked
 * break: KEPT_WITHOUT_CONDITION WITHOUT_TOKEN -> revoked_means_revoked
 * break: STAMPED_ANEW WITHOUT_TOKEN -> revoked_means_revoked
 * break: KEPT_UNDER_NEW_ID -> revoked_means_revoked
 * break: KEPT_AT_LOGOUT ALONE -> one_stays
 * break: ENDED_ENDS_NOTHING WITHOUT_TOKEN -> revoked_means_revoked
 * break: STORED RECORD_DELETED WITHOUT_TOKEN -> revoked_means_revoked
 * break: TOKEN_STAMPED_NOW -> revoked_means_revoked
 * break: TOKEN_NOT_COMPARED -> no_token_across_a_logout
 * break: TOKEN_UNDER_LOGIN_ID -> tokens_outlive_sign_out
 * break: NOT_ABOVE_PREVIOUS -> never_back
 * traces:
 * refused: KEPT_SINCE_NOW
 * refused: KEPT_WITHOUT_CONDITION
 * refused: STAMPED_ANEW
 * refused: KEPT_UNDER_NEW_ID
 * refused: KEPT_AT_LOGOUT
 * refused: ENDED_ENDS_NOTHING
 * refused: TOKEN_STAMPED_NOW
 * refused: TOKEN_NOT_COMPARED
 * refused: TOKEN_UNDER_LOGIN_ID
 * refused: NOT_ABOVE_PREVIOUS
 * traces: STORED
 * refused: KEPT_WITHOUT_CONDITION
 * refused: STAMPED_ANEW
 * refused: RECORD_DELETED
 * hidden: LogOutOthers.at MintToken.at SignOut.at LogOut.at RaiseFloor.at Request.at RaiseFloor.now
 */
#include "claims.h"
#include "traces.h"

bool revoked_means_revoked = true, never_back = true, one_stays = true;
bool no_token_across_a_logout = true, tokens_outlive_sign_out = true;

/* What is presented: the cookies of both logins, those of the kept logins, and a token. Who writes one of the
 * last three has its number. */
#define KEPT 2
#define TOKEN 4
#define PRESENTED 5

/* src/sessions/record.rs::LoginRecord */
byte issued = 3; /* set of what is presented */
byte stamp[PRESENTED];
byte kept_at[PRESENTED];
byte id[PRESENTED];
byte origin; /* what the token was made from */
byte records = 3; /* set of logins in the session store */

/* The user store: src/stores/memory.rs, each method in one step. */
byte clock = 3;
byte logged_out_at;
byte last_login_at = 2;
byte floor; /* src/identity/revocation_key.rs::RevocationKey, Everyone, Issuer, Session or Subject */
byte ended_ids; /* RevocationKey::Login */

/* Answers that were received. */
bool logged_out, signed_out, floor_raised;
bool others_ended[2], others_refused[2];

/* src/timestamp.rs::latest, src/users/comparison.rs::compare */
#define latest(login) (kept_at[login] > 0 -> kept_at[login] : stamp[login])
#define compare(since, began, name) ((since) > logged_out_at && (began) > floor && !has(ended_ids, name))
#define valid(login) compare(latest(login), stamp[login], id[login])

#ifdef TRACES
#define tick clock++; /* the clock of the tests does at each reading */

/* The queue: src/revocation/queue.rs::LogoutQueue, src/auth/check.rs::has_pending_logout. */
bool logout_pending, floor_pending;
byte ends_pending; /* set of ids */
#define pending(login) (logout_pending || floor_pending || has(ends_pending, id[login]))
#define wait_in_queue(change) change;
#else
#define tick
#define pending(login) false
#define wait_in_queue(change)
#endif

/* A step ends here if a call of the session store is next. Otherwise it goes on with the check. */
#if defined(STORED) || defined(TRACES)
#define before_load }; atomic {
#else
#define before_load
#endif

/* Any cookie of a login. */
#define any_cookie(login) \
    if \
    :: login = 0 \
    :: login = 1 \
    :: has(issued, KEPT) -> login = KEPT \
    :: has(issued, KEPT + 1) -> login = KEPT + 1 \
    fi;

#ifdef STORED
/* src/sessions/stored.rs::load. A token is never stored. */
#define load(process, number, login, found) \
    atomic { \
        if \
        :: login == TOKEN -> found = true \
        :: else -> event_on(process, number, "load", login) found = has(records, login) \
        fi \
    };
/* A save creates a record that was deleted. */
#define save(process, number, login) \
    atomic { event_on(process, number, "save", login) records = records | bit(login) };
/* src/auth/check.rs::renew */
#define renew(process, number, login, served) \
    if \
    :: served && login != TOKEN -> save(process, number, login) \
    :: true /* It was used a moment ago. */ \
    fi;
#define delete(process, number, login) \
    if \
    :: login == TOKEN \
    :: else -> atomic { event_on(process, number, "delete", login) records = records & ~bit(login) } \
    fi;
#define stored(login) has(records, login)
#else
/* src/sessions/sealed.rs::open: the cookie is the login. */
#define load(process, number, login, found) found = true;
#define renew(process, number, login, served)
#define delete(process, number, login)
#define stored(login) true
#endif

/* src/auth/check.rs::valid_login: the record, then what is pending, then the user store. */
#define find(process, number, login, found) \
    before_load \
    load(process, number, login, found) \
    before_load \
    found = found && !pending(login); \
    before_load

#define check(process, number, login, served) \
    find(process, number, login, served) \
    if \
    :: served -> event(process, number, "check_login") served = valid(login) \
    :: else \
    fi

/* src/stores/memory.rs::log_out: above the previous logout and the last login. */
inline raise(time) {
    d_step {
        tick
#ifdef NOT_ABOVE_PREVIOUS
        time = clock - 3;
#else
        time = max(clock, max(logged_out_at, last_login_at) + 1);
#endif
        claim(never_back, time > logged_out_at);
        logged_out_at = time
    }
}

/* src/auth/log_out_others.rs::log_out_others. The first browser has the number KEPT, as its kept login. */
proctype LogOutOthers(byte number) {
    byte login, since;
    bool passed;

    atomic {
        turn(LogOutOthers, number)
#ifdef TRACES
        any_cookie(login)
#else
        login = number - KEPT;
#endif
        event_on(LogOutOthers, number, "send", login)
        /* src/extract/other_logins.rs::from_request_parts */
        check(LogOutOthers, number, login, passed)
    }
    renew(LogOutOthers, number, login, passed)
    if
    :: passed
    :: else -> goto unauthenticated
    fi;
    if
    :: pending(login) -> goto refused
    :: else
    fi;
    /* src/users/user_store.rs::log_out_others, if the login is later than the last logout. */
    if
#if defined(FAILS) || defined(TRACES)
    :: event(LogOutOthers, number, "fails") goto unavailable
#endif
    :: atomic {
        event(LogOutOthers, number, "log_out_others")
        d_step {
            tick
            if
#ifndef KEPT_WITHOUT_CONDITION
            :: latest(login) <= logged_out_at -> since = 0
#endif
            :: else ->
                since = max(clock, max(logged_out_at, last_login_at) + 1);
                claim(never_back, since > logged_out_at);
                logged_out_at = since;
                since++;
                last_login_at = since
            fi
        }
    }
    fi;
    if
    :: since == 0 -> goto refused
    :: else
    fi;
    /* src/auth/log_out_others.rs::keep */
    atomic {
        event(LogOutOthers, number, "check_login")
#ifdef KEPT_SINCE_NOW
        d_step { clock = max(clock, logged_out_at) + 1; since = clock };
#endif
#ifdef KEPT_AT_LOGOUT
        since--;
#endif
#ifdef STAMPED_ANEW
        passed = compare(since, since, id[login])
#else
        passed = compare(since, stamp[login], id[login])
#endif
    }
    if
    :: passed && !pending(login)
    :: else -> goto refused
    fi;
    /* src/auth/begin_login.rs::write_login */
    load(LogOutOthers, number, login, passed)
    if
#ifdef FAILS
    :: goto unavailable
#endif
    :: atomic {
#ifdef STORED
        event_on(LogOutOthers, number, "create", number)
#endif
        d_step {
            issued = issued | bit(number);
            records = records | bit(number);
            kept_at[number] = since;
            stamp[number] = stamp[login];
#ifdef STAMPED_ANEW
            stamp[number] = since;
#endif
            id[number] = id[login];
#ifdef KEPT_UNDER_NEW_ID
            id[number] = number;
#endif
            others_ended[number - KEPT] = true
        }
    }
    fi;
    /* src/auth/begin_login.rs::replace: it has the same id, so its record expires in a minute. */
#ifdef STORED
    if
#ifdef RECORD_DELETED
    :: passed -> delete(LogOutOthers, number, login)
#else
    :: passed -> save(LogOutOthers, number, login)
#endif
    :: else
    fi;
#endif
    event(LogOutOthers, number, "200")
    goto done;
unauthenticated:
    atomic { event(LogOutOthers, number, "401") goto not_kept };
refused:
    atomic { event(LogOutOthers, number, "403") goto not_kept };
#if defined(FAILS) || defined(TRACES)
unavailable:
    event(LogOutOthers, number, "503")
#endif
not_kept:
    others_refused[number - KEPT] = true;
done:
    atomic { login = 0; since = 0; passed = false }
}

/* src/auth/mint_token.rs::mint_token, in a request whose login was valid. */
proctype MintToken(byte number) {
    byte login;
    bool too_late, passed;

    atomic {
        turn(MintToken, number)
        any_cookie(login)
        event_on(MintToken, number, "send", login)
        check(MintToken, number, login, passed)
    }
    renew(MintToken, number, login, passed)
    if
    :: passed
    :: else -> goto refused
    fi;
    /* The handler asks for it. */
    atomic {
        too_late = logged_out || floor_raised || (signed_out && id[login] == 0);
        passed = !pending(login)
    }
#ifdef TOKEN_NOT_COMPARED
    passed = true;
#endif
    atomic {
        if
        :: passed ->
            event(MintToken, number, "check_login")
#ifndef TOKEN_NOT_COMPARED
            passed = valid(login)
#endif
        :: else
        fi
    }
    if
    :: passed
    :: else -> goto refused
    fi;
    atomic {
        event(MintToken, number, "200")
        d_step {
            claim(no_token_across_a_logout, !too_late);
            origin = login;
            issued = issued | bit(TOKEN);
            stamp[TOKEN] = stamp[login];
            kept_at[TOKEN] = kept_at[login];
#ifdef TOKEN_STAMPED_NOW
            clock = max(clock, max(logged_out_at, floor)) + 1;
            kept_at[TOKEN] = clock;
#endif
            id[TOKEN] = TOKEN;
#ifdef TOKEN_UNDER_LOGIN_ID
            id[TOKEN] = id[login];
#endif
        }
        goto done
    };
refused:
    event(MintToken, number, "401")
done:
    atomic { login = 0; too_late = false; passed = false }
}

/* src/auth/log_out.rs::log_out */
proctype LogOut(byte number) {
    byte time;

    wait_in_queue(event(LogOut, number, "begin") logout_pending = true)
    fails(LogOut, number)
    atomic { event(LogOut, number, "log_out") raise(time) };
    wait_in_queue(logout_pending = false)
    atomic { event(LogOut, number, "200") time = 0; logged_out = true }
}

/* src/auth/end_login.rs::sign_out, with a copy of the first browser's cookie. */
proctype SignOut(byte number) {
    byte login;
    bool found, ended;

    atomic {
        turn(SignOut, number)
#ifdef TRACES
        any_cookie(login)
#endif
        event_on(SignOut, number, "send", login)
        before_load
        load(SignOut, number, login, found)
#ifdef STORED
        if
        :: found
        :: else -> goto answer
        fi;
#endif
        before_load
        /* src/auth/end_login.rs::has_ended */
        event(SignOut, number, "check_login")
#ifdef ENDED_ENDS_NOTHING
        ended = !valid(login)
#else
        ended = has(ended_ids, id[login]) || stamp[login] <= floor
#endif
    }
    /* src/auth/end_login.rs::end_login */
    if
    :: ended
    :: else ->
        wait_in_queue(ends_pending = ends_pending | bit(id[login]))
        fails(SignOut, number)
        atomic { event(SignOut, number, "revoke") ended_ids = ended_ids | bit(id[login]) };
        wait_in_queue(ends_pending = ends_pending & ~bit(id[login]))
    fi;
    delete(SignOut, number, login)
#ifdef STORED
answer:
#endif
    atomic {
        event(SignOut, number, "303")
        signed_out = true;
        login = 0;
        found = false;
        ended = false
    }
}

/* src/auth/log_out.rs::log_out_key, src/users/user_store.rs::revoke: above the last login. */
proctype RaiseFloor(byte number) {
    wait_in_queue(event(RaiseFloor, number, "begin") floor_pending = true)
    fails(RaiseFloor, number)
    atomic {
        event(RaiseFloor, number, "log_out")
        tick
        floor = max(clock, max(floor, last_login_at) + 1)
    };
    wait_in_queue(floor_pending = false)
    atomic { event(RaiseFloor, number, "200") floor_raised = true }
}

#ifndef TRACES
proctype Ticks() {
    clock++;
    clock++
}
#endif

/* src/auth/check.rs::valid_login */
proctype Request(byte number) {
    byte login;
    bool served;

    atomic {
        turn(Request, number)
        if
        :: any_cookie(login)
        :: has(issued, TOKEN) -> login = TOKEN
        fi;
        event_on(Request, number, "send", login)
        find(Request, number, login, served)
        if
        :: served -> event(Request, number, "check_login") served = valid(login);
#ifndef ALONE
            claim(tokens_outlive_sign_out, served || login != TOKEN || !signed_out
                || logged_out_at >= latest(TOKEN) || floor > 0)
#endif
        :: else
        fi;
        /* All logins of the model began before these arrived. */
        claim(revoked_means_revoked, !served || !(logged_out || floor_raised));
        /* A sign-out ends every copy, and the login that is kept. A token is a login of its own. */
        claim(revoked_means_revoked, !served || !signed_out || (login != 0 && login != KEPT));
        /* The end of all others ends both cookies from before, and tokens made from them. */
        claim(revoked_means_revoked, !served || !(others_ended[0] || others_ended[1])
            || (login >= KEPT && login < TOKEN) || (login == TOKEN && origin >= KEPT));
#ifdef ALONE
        /* Of two browsers that end all others at once, one stays. */
        claim(one_stays, !((others_ended[0] || others_refused[0]) && (others_ended[1] || others_refused[1]))
            || (has(issued, KEPT) && stored(KEPT) && valid(KEPT))
                + (has(issued, KEPT + 1) && stored(KEPT + 1) && valid(KEPT + 1)) == 1)
#endif
    }
    renew(Request, number, login, served)
#ifdef TRACES
    if
    :: served -> event(Request, number, "200")
    :: else -> event(Request, number, "401")
    fi;
#endif
    atomic { login = 0; served = false }
}

init {
    atomic {
        stamp[0] = 1;
        stamp[1] = 2;
        id[1] = 1;
#ifdef TRACES
        perhaps(LogOut, 0, run LogOut(0))
        perhaps(LogOutOthers, 2, run LogOutOthers(2))
        perhaps(LogOutOthers, 3, run LogOutOthers(3))
        perhaps(MintToken, 4, run MintToken(4))
        perhaps(RaiseFloor, 0, run RaiseFloor(0))
        perhaps(Request, 0, run Request(0))
        perhaps(Request, 1, run Request(1))
        perhaps(Request, 2, run Request(2))
        perhaps(Request, 3, run Request(3))
        perhaps(SignOut, 0, run SignOut(0))
#else
        run LogOutOthers(KEPT);
        run LogOutOthers(KEPT + 1);
        run Ticks();
#ifndef ALONE
#ifndef WITHOUT_TOKEN
        run MintToken(TOKEN);
#endif
        run LogOut(0);
        run SignOut(0);
        run RaiseFloor(0);
#endif
        run Request(0)
#endif
    }
    all_done()
}
