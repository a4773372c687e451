/* An assertion with a name, which spin prints if it fails. A name is true in every state. */
#define claim(name, holds) name = (holds); assert(name)

/* Sets of up to eight members. */
#define bit(member) (1 << (member))
#define has(set, member) (((set) >> (member)) & 1)

#define max(one, other) ((one) > (other) -> (one) : (other))
