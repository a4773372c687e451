/* Keys of sealed logins that roll over two nodes: a new one goes last on all nodes, then first, then the old one
 * goes. A browser has a login from before or during the change.
 *
 * Bounds: 2 nodes, 2 keys, 3 changes on each node, 1 login, 1 request, at any time.
 *
 * run:
 * break: NEW_KEY_FIRST -> a_login_opens
 * break: OLD_KEY_REMOVED_EARLY -> a_login_opens
 */
#include "claims.h"

bool a_login_opens = true;

/* src/sessions/seal.rs::SessionKeys: 0 has the old key, 1 also the new one, 2 has the new one first, and 3
 * only that. The first key seals, and each key opens. */
byte stage[2];
#define seals_with_new(node) (stage[node] >= 2)
#define opens(node, with_new) (with_new -> stage[node] >= 1 : stage[node] <= 2)

byte sealed; /* 1: by the old key, 2: by the new one */
bool ended; /* the lifetime of what the old key sealed is over */

#define other (1 - node)

/* A node is replaced by one with the next keys, once every node has those before. */
proctype Deploy(byte node) {
end_deploy:
    do
#ifdef NEW_KEY_FIRST
    :: stage[node] < 2 -> stage[node] = 2
#else
    :: stage[node] == 0 -> stage[node] = 1
    :: stage[node] == 1 && stage[other] >= 1 -> stage[node] = 2
#endif
#ifdef OLD_KEY_REMOVED_EARLY
    :: stage[node] == 2 -> stage[node] = 3
#else
    :: stage[node] == 2 && stage[other] >= 2 && ended -> stage[node] = 3
#endif
    od
}

/* Once no node seals with the old key, its logins end after their lifetime. */
proctype Lifetime() {
end_lifetime:
    atomic {
        stage[0] >= 2 && stage[1] >= 2 ->
        ended = true;
        if
        :: sealed == 1 -> sealed = 0
        :: else
        fi
    }
}

/* src/sessions/backend.rs::begin */
proctype Login(byte node) {
    sealed = (seals_with_new(node) -> 2 : 1)
}

/* src/sessions/sealed.rs::open */
proctype Request(byte node) {
end_request:
    atomic {
        sealed > 0 -> claim(a_login_opens, opens(node, sealed == 2))
    }
}

init {
    atomic {
        run Deploy(0);
        run Deploy(1);
        run Lifetime();
        run Login(0);
        run Request(0);
        run Request(1)
    }
}
