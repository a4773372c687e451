/* Two browsers of one user: each ends all other logins, and one makes a token, while logouts come in between.
 *
 * Bounds: 2 logins, 1 end of all others by each, 1 token of either login or of a kept one, 1 logout of the
 * user, 1 sign-out of a copy of the first browser's cookie, 1 revocation of the logins of everyone or of an
 * issuer, and 1 request, which writes nothing and so stands for all. No logout is pending: that would
 * only refuse more. FAILS: the write of a kept login may fail. ALONE: only the browsers end each other.
 *
 * run:
 * run:   FAILS
 * run:   ALONE
 * break: KEPT_SINCE_NOW WITHOUT_TOKEN -> revoked_means_revoked
 * break: KEPT_WITHOUT_CONDITION WITHOUT_TOKEN -> revoked_means_revoked
 * break: STAMPED_ANEW WITHOUT_TOKEN -> revoked_means_revoked
 * break: KEPT_UNDER_NEW_ID -> revoked_means_revoked
 * break: KEPT_AT_LOGOUT ALONE -> one_stays
 * break: TOKEN_STAMPED_NOW -> revoked_means_revoked
 * break: TOKEN_NOT_COMPARED -> no_token_across_a_logout
 * break: TOKEN_UNDER_LOGIN_ID -> tokens_outlive_sign_out
 * break: NOT_ABOVE_PREVIOUS -> never_back
 */
#include "claims.h"

bool revoked_means_revoked = true, never_back = true, one_stays = true;
bool no_token_across_a_logout = true, tokens_outlive_sign_out = true;

/* What is presented: the cookies of both logins, those of the kept logins, and a token. */
#define KEPT 2
#define TOKEN 4
#define PRESENTED 5

/* src/sessions/record.rs::LoginRecord */
bool issued[PRESENTED];
byte stamp[PRESENTED];
byte kept_at[PRESENTED];
byte id[PRESENTED];
byte origin; /* what the token was made from */

/* The user store: src/stores/memory.rs, each method in one step. */
byte clock = 3;
byte logged_out_at;
byte last_login_at = 2;
byte floor; /* src/identity/revocation_key.rs::RevocationKey, Everyone or Issuer */
byte ended_ids; /* RevocationKey::Login */

/* Answers that were received. */
bool logged_out, signed_out, floor_raised;
bool others_ended[2], others_refused[2], kept_written[2];

/* src/timestamp.rs::latest, src/users/comparison.rs::compare */
#define latest(login) (kept_at[login] > 0 -> kept_at[login] : stamp[login])
#define compare(since, began, name) ((since) > logged_out_at && (began) > floor && !has(ended_ids, name))
#define valid(login) compare(latest(login), stamp[login], id[login])

/* src/stores/memory.rs::log_out: above the previous logout and the last login. */
inline raise(time) {
    d_step {
#ifdef NOT_ABOVE_PREVIOUS
        time = clock - 3;
#else
        time = max(clock, max(logged_out_at, last_login_at) + 1);
#endif
        claim(never_back, time > logged_out_at);
        logged_out_at = time
    }
}

/* src/auth/log_out_others.rs::log_out_others */
proctype LogOutOthers(byte browser) {
    byte since;

    /* src/extract/other_logins.rs::from_request_parts: the check of the request. */
    if
    :: valid(browser)
    :: else -> goto refused
    fi;
    /* src/users/user_store.rs::log_out_others, if the login is later than the last logout. */
    d_step {
        if
#ifndef KEPT_WITHOUT_CONDITION
        :: latest(browser) <= logged_out_at -> since = 0
#endif
        :: else ->
            since = max(clock, max(logged_out_at, last_login_at) + 1);
            claim(never_back, since > logged_out_at);
            logged_out_at = since;
            since++;
            last_login_at = since
        fi
    }
    if
    :: since == 0 -> goto refused
    :: else
    fi;
#ifdef KEPT_SINCE_NOW
    d_step { clock = max(clock, logged_out_at) + 1; since = clock };
#endif
#ifdef KEPT_AT_LOGOUT
    since--;
#endif
    /* src/auth/log_out_others.rs::keep */
    if
#ifdef STAMPED_ANEW
    :: compare(since, since, id[browser])
#else
    :: compare(since, stamp[browser], id[browser])
#endif
    :: else -> goto refused
    fi;
    /* src/auth/begin_login.rs::write_login */
    if
#ifdef FAILS
    :: goto refused
#endif
    :: d_step {
        issued[KEPT + browser] = true;
        kept_at[KEPT + browser] = since;
        stamp[KEPT + browser] = stamp[browser];
#ifdef STAMPED_ANEW
        stamp[KEPT + browser] = since;
#endif
        id[KEPT + browser] = id[browser];
#ifdef KEPT_UNDER_NEW_ID
        id[KEPT + browser] = KEPT + browser;
#endif
        kept_written[browser] = true;
        others_ended[browser] = true
    }
    fi;
    goto done;
refused:
    others_refused[browser] = true;
done:
    since = 0
}

/* src/auth/mint_token.rs::mint_token, in a request with a login that was valid. */
proctype MintToken() {
    byte login;
    bool too_late, passed;

end_without_login:
    if
    :: valid(0) -> login = 0
    :: issued[KEPT] && valid(KEPT) -> login = KEPT
    :: issued[KEPT + 1] && valid(KEPT + 1) -> login = KEPT + 1
    fi;
    too_late = logged_out || floor_raised || (signed_out && id[login] == 0);
#ifdef TOKEN_NOT_COMPARED
    passed = true;
#else
    passed = valid(login);
#endif
    if
    :: passed ->
        d_step {
            claim(no_token_across_a_logout, !too_late);
            origin = login;
            issued[TOKEN] = true;
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
    :: else
    fi
}

/* src/auth/log_out.rs::log_out */
proctype LogOut() {
    byte time;

    raise(time);
    d_step { time = 0; logged_out = true }
}

/* src/auth/end_login.rs::end_login, with a copy of the first browser's cookie */
proctype SignOut() {
    ended_ids = ended_ids | bit(id[0]);
    signed_out = true
}

/* src/auth/log_out.rs::log_out_key, src/users/user_store.rs::revoke: above the last login. */
proctype RaiseFloor() {
    floor = max(clock, max(floor, last_login_at) + 1);
    floor_raised = true
}

proctype Ticks() {
    clock++;
    clock++
}

/* src/auth/check.rs::valid_login */
proctype Request() {
    byte login;
    bool served;

    atomic {
        if
        :: login = 0
        :: login = 1
        :: issued[KEPT] -> login = KEPT
        :: issued[KEPT + 1] -> login = KEPT + 1
        :: issued[TOKEN] -> login = TOKEN
        fi;
        served = valid(login);
        /* All logins of the model began before these arrived. */
        claim(revoked_means_revoked, !served || !(logged_out || floor_raised));
        /* A sign-out ends every copy, and the login that is kept. A token is a login of its own. */
        claim(revoked_means_revoked, !served || !signed_out || (login != 0 && login != KEPT));
        /* The end of all others ends both cookies from before, and tokens made from them. */
        claim(revoked_means_revoked, !served || !(others_ended[0] || others_ended[1])
            || (login >= KEPT && login < TOKEN) || (login == TOKEN && origin >= KEPT));
#ifndef ALONE
        claim(tokens_outlive_sign_out, served || login != TOKEN || !signed_out || logged_out_at >= latest(TOKEN) || floor > 0);
#else
        /* Of two browsers that end all others at once, one stays. */
        claim(one_stays, !((others_ended[0] || others_refused[0]) && (others_ended[1] || others_refused[1]))
            || (issued[KEPT] && valid(KEPT)) + (issued[KEPT + 1] && valid(KEPT + 1)) == 1);
#endif
        login = 0;
        served = false
    }
}

init {
    atomic {
        issued[0] = true;
        stamp[0] = 1;
        issued[1] = true;
        stamp[1] = 2;
        id[1] = 1;
        run LogOutOthers(0);
        run LogOutOthers(1);
        run Ticks();
#ifndef ALONE
#ifndef WITHOUT_TOKEN
        run MintToken();
#endif
        run LogOut();
        run SignOut();
        run RaiseFloor();
#endif
        run Request()
    }
}
