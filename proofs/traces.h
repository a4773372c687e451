/* Steps of the code. A trace of the schedule explorer is a sequence of them, such as `Logout0.log_out`: the
 * process, its number, and what it does. A run of a model with `TRACES` goes along all traces at once: `trace` is
 * what has happened so far.
 */
#ifdef TRACES

c_decl {
\#include "traces.c"
};
c_state "int trace" "Global" "0"

#define STEP(process, number, call, login) now.trace, #process, P##process->number, call, login

/* A process goes on once a trace has a step of it next. Before it chooses, as a wrong choice is over at once.
 * Spin takes a call without the space for one with side effects. */
#define turn(process, number) c_expr { is_next (now.trace, #process, P##process->number) };

/* What a process does. `number` is a variable of the process. A run that does what no trace has next is over. */
#define event(process, number, call) \
    atomic { \
        turn(process, number) \
        c_code { now.trace = follow(STEP(process, number, call, -1)); }; \
        c_expr { now.trace >= 0 } \
    };

/* The same, of what the code does within another process: `owner`, as the trace has it. */
#define event_of(owner, process, number, call) \
    atomic { \
        c_expr { is_next (now.trace, #owner, P##process->number) }; \
        c_code { now.trace = follow(now.trace, #owner, P##process->number, call, -1); }; \
        c_expr { now.trace >= 0 } \
    };

/* The same for the cookie or the record of a login, or at a node. */
#define event_on(process, number, call, login) \
    atomic { \
        turn(process, number) \
        c_code { now.trace = follow(STEP(process, number, call, P##process->login)); }; \
        c_expr { now.trace >= 0 } \
    };

#define at_either_node(process, number, node) \
    atomic { \
        turn(process, number) \
        if \
        :: node = 0 \
        :: node = 1 \
        fi; \
        event_on(process, number, "at", node) \
    };

/* A process that takes part in some of the traces. */
#define perhaps(process, number, start) \
    if \
    :: c_code { now.trace = follow(now.trace, #process, number, "", -1); }; c_expr { now.trace >= 0 }; start \
    :: true \
    fi;

/* All processes have ended: the trace is one of the model, if it is over too. */
#define all_done() _nr_pr == 1 -> c_code { all_done(now.trace); }

/* The store fails before the effect, as often as it does in the trace. */
#define fails(process, number) \
    do \
    :: event(process, number, "fails") \
    :: break \
    od;

#else

#define turn(process, number)
#define event(process, number, call) skip;
#define event_of(owner, process, number, call) skip;
#define event_on(process, number, call, login) skip;
#define all_done() skip
#define fails(process, number)

#endif
