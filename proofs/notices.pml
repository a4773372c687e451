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
 * traces:
 * refused: FORGOTTEN_AFTER_PATIENCE
 * refused: ANSWERED_AT_ONCE
 * refused: APPLIED_IS_FORGOTTEN
 * traces: ELSEWHERE SINGLE_USE
 * refused: APPLIED_IS_FORGOTTEN
 */
#include "claims.h"
#include "traces.h"

#ifdef TRACES
#define SENDS 4
#else
#define SENDS 3
#endif

/* src/revocation/replay_cache.rs::Stage */
#define CHECKING 1
#define WRITING 2
#define DONE 3
/* How else a notice ends. */
#define REFUSED 4
#define STOPPED 5

bool no_lost_logout = true, a_replay_ends_nothing = true, refused_only_if_written = true;

/* src/revocation/replay_cache.rs::ReplayCache of each node: 1 + the request that began to handle the notice, or
 * 0 if the notice is not known. */
byte known[2];
byte stage[SENDS]; /* of each request that began to handle the notice */
byte handling; /* handlers that run */

bool single_use, spent; /* the token, at its provider */
#ifdef TRACES
byte failures = 9;
#else
byte failures = 1;
#endif
bool is_written, acknowledged;
bool alive = true;

/* src/routes/notice.rs::handle, in a task of its own, which a request has started. */
proctype Handle(byte number; byte node) {
    bool failed;

    /* The provider verifies the token. */
    atomic {
        if
        :: single_use && spent ->
            event_of(Send, Handle, number, "refused")
            /* The sender is told that the token is bad. It does not send it again. */
            claim(refused_only_if_written, is_written);
            goto refused
        :: else -> event_of(Send, Handle, number, "begin") spent = true
        fi
    }
    /* src/revocation/replay_cache.rs::writing */
    stage[number] = WRITING;
    /* src/revocation/write.rs::until_written */
    do
    :: atomic {
#ifdef CRASH
        if
        :: !alive -> stage[number] = STOPPED; goto done
        :: else
        fi;
#endif
        if
        :: failed = false
        :: failures > 0 -> failures--; failed = true
        fi;
        if
        :: failed -> event_of(Send, Handle, number, "fails")
        :: true ->
            if
            :: failed -> event_of(Send, Handle, number, "lost")
            :: else -> event_of(Send, Handle, number, "log_out")
            fi;
            /* One that is repeated after a lost answer is not acknowledged yet. */
            claim(a_replay_ends_nothing, !acknowledged);
            is_written = true
        fi;
        if
        :: failed -> failed = false
        :: else -> break
        fi
    }
    od;
    /* src/revocation/replay_cache.rs::finish */
#ifdef APPLIED_IS_FORGOTTEN
    known[node] = 0;
#endif
    stage[number] = DONE;
    goto done;
refused:
    known[node] = 0;
    stage[number] = REFUSED;
done:
    atomic { failed = false; handling-- }
}

/* src/routes/logout.rs::settle: a request with the notice. Its patience may end at any time after the check. */
proctype Send(byte number) {
    byte node, joined;

    /* src/revocation/replay_cache.rs::join */
    atomic {
        turn(Send, number)
#ifdef ELSEWHERE
        if
        :: node = 0
        :: acknowledged -> node = 1
        fi;
#endif
        event_on(Send, number, "at", node)
        if
#ifdef CRASH
        :: !alive -> goto done
#endif
        :: alive && known[node] == 0 ->
            joined = number;
            known[node] = number + 1;
            stage[number] = CHECKING;
            handling++;
            run Handle(number, node)
        :: alive && known[node] != 0 -> joined = known[node] - 1
        fi
    }
    /* src/revocation/replay_cache.rs::outcome */
    if
    :: atomic {
        stage[joined] == DONE ->
        event(Send, number, "200")
        claim(no_lost_logout, is_written);
        acknowledged = true
    }
#ifdef ANSWERED_AT_ONCE
    :: atomic {
        stage[joined] == CHECKING ->
        event(Send, number, "200")
        claim(no_lost_logout, is_written);
        acknowledged = true
    }
#else
    /* 503: the sender sends it again. */
    :: atomic {
        stage[joined] == WRITING ->
        event(Send, number, "503")
#ifdef FORGOTTEN_AFTER_PATIENCE
        known[node] = 0
#endif
    }
#endif
    :: atomic { stage[joined] == REFUSED -> event(Send, number, "400") }
#ifdef CRASH
    :: stage[joined] == STOPPED
#endif
    fi;
done:
    atomic { node = 0; joined = 0 }
}

#ifdef CRASH
proctype Crash() {
    atomic { alive = false };
    atomic { handling == 0 -> known[0] = 0; alive = true }
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
#ifdef TRACES
        perhaps(Send, 0, run Send(0))
        perhaps(Send, 1, run Send(1))
        perhaps(Send, 2, run Send(2))
        perhaps(Send, 3, run Send(3))
#else
        run Send(0);
        run Send(1);
        run Send(2);
#ifdef CRASH
        run Crash();
#endif
#endif
    }
    all_done()
}
