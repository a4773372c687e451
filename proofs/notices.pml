/* One logout notice that comes several times: its sender repeats it until the answer is 2xx, and a copy of it
 * is replayed.
 *
 * Bounds: 1 node, 3 requests with the notice, 1 write that fails before or after its effect. The token is
 * good for one exchange, or for any number. CRASH: the node stops once and starts again without its memory.
 * SINGLE_USE: it is good for one exchange. ELSEWHERE: requests after the answer may reach another node.
 *
 * run:
 * run:   ELSEWHERE SINGLE_USE
 * break: FORGOTTEN_AFTER_PATIENCE -> refused_only_if_written
 * break: ANSWERED_AT_ONCE -> no_lost_logout
 * break: APPLIED_IS_FORGOTTEN -> a_replay_ends_nothing
 * limit: ELSEWHERE -> a_replay_ends_nothing
 * limit: CRASH -> refused_only_if_written
 */
#include "claims.h"

#define CHECKING 1
#define WRITING 2
#define DONE 3

bool no_lost_logout = true, a_replay_ends_nothing = true, refused_only_if_written = true;

/* src/revocation/replay_cache.rs::ReplayCache: the stage of the notice, if it is known. */
byte known;
byte handling; /* handlers that run */

bool single_use, spent; /* the token, at its provider */
byte failures = 1;
bool is_written, acknowledged;
bool alive = true;

/* src/routes/notice.rs::handle, in a task of its own. Its outcome is `known`, or 0 if it can come again. */
proctype Handle() {
    bool failed;

    /* The provider verifies the token. */
    atomic {
        if
        :: single_use && spent ->
            /* The sender is told that the token is bad. It does not send it again. */
            claim(refused_only_if_written, is_written);
            known = 0;
            goto done
        :: else -> spent = true
        fi
    }
    /* src/revocation/replay_cache.rs::writing */
    known = WRITING;
    /* src/revocation/write.rs::until_written */
    do
    :: atomic {
        !alive -> goto done
    }
    :: atomic {
        alive ->
        if
        :: failed = false
        :: failures > 0 -> failures--; failed = true
        fi;
        if
        :: !failed || failures == 0 ->
            /* One that is repeated after a lost answer is not acknowledged yet. */
            claim(a_replay_ends_nothing, !acknowledged);
            is_written = true
        :: failed
        fi;
        if
        :: failed
        :: else -> break
        fi
    }
    od;
    /* src/revocation/replay_cache.rs::finish */
#ifdef APPLIED_IS_FORGOTTEN
    known = 0;
    atomic { claim(no_lost_logout, is_written); acknowledged = true };
#else
    known = DONE;
#endif
done:
    atomic { failed = false; handling-- }
}

/* src/routes/logout.rs::settle: a request with the notice. Its patience may end at any time after the check. */
proctype Send() {
    /* src/revocation/replay_cache.rs::join */
    atomic {
        if
        :: known == 0 && alive -> known = CHECKING; handling++; run Handle()
        :: else
        fi
    }
end_send:
    /* src/revocation/replay_cache.rs::outcome */
    if
    :: atomic { known == DONE -> claim(no_lost_logout, is_written); acknowledged = true }
#ifdef ANSWERED_AT_ONCE
    :: atomic { known == CHECKING -> claim(no_lost_logout, is_written); acknowledged = true }
#else
    /* 503: the sender sends it again. */
    :: atomic { known == WRITING ->
#ifdef FORGOTTEN_AFTER_PATIENCE
        known = 0
#endif
    }
#endif
    :: known == 0
    fi
}

#ifdef ELSEWHERE
/* From here on, the memory is that of another node. */
proctype Elsewhere() {
end_elsewhere:
    atomic { acknowledged && handling == 0 -> known = 0 }
}
#endif

#ifdef CRASH
proctype Crash() {
    atomic { alive = false };
    atomic { handling == 0 -> known = 0; alive = true }
}
#endif

init {
    atomic {
        if
        :: single_use = true
#ifndef SINGLE_USE
        :: single_use = false
#endif
        fi;
        run Send();
        run Send();
        run Send();
#ifdef ELSEWHERE
        run Elsewhere();
#endif
#ifdef CRASH
        run Crash();
#endif
    }
}
