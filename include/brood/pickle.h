/*
 * brood/pickle.h - values as bytes, in Python's pickle format; data only, nothing in it is ever
 * run.
 *
 * What is read as what:
 *
 *   - Plain data is the value of that name; a big int is a BROOD_BIGINT, a bytearray is bytes that
 *     brood_value_is_mutable_bytes tells from others.
 *   - Exceptions are a BROOD_ERROR with arguments and attributes: the classes of builtins, and
 *     those called ...Error, ...Exception, ...Warning.
 *   - Brood's objects are a BROOD_OBJECT where they can travel; the functions here refuse them.
 *   - Anything else is a BROOD_OPAQUE: the object with all that hangs on it; written back it is an
 *     equal object again, circles and identity inside it included.
 *
 * Values are trees, pickles are graphs: a list that stands in two places is read as two lists, and
 * one that contains itself is refused. Persistent ids and extension codes are refused: only their
 * writer knows what they stand for.
 */
#ifndef BROOD_PICKLE_H
#define BROOD_PICKLE_H

#include <brood/value.h>

BROOD_BEGIN_DECLS

/* Bounds for reading; zero means the default named here. They hold for brood_pickle_loads and for
 * what comes from outside of the process tree; what a process of the tree has put, sent or given to
 * a task can be read, however deep and large it is. */
typedef struct brood_pickle_limits {
    size_t max_depth; /* nesting of containers: 500; never more than BROOD_MAX_DEPTH */
    size_t max_nodes; /* values made, a memo reference counting as what it copies: 64 Mi */
    size_t max_bytes; /* memory taken while reading: 1 GiB */
} brood_pickle_limits;

/*
 * Writes a value as a pickle of protocol 4, as Python 3.4 and later read it. `*data` is new memory,
 * to be freed with brood_free.
 *
 * Errors:  BROOD_ENOTSUP  an object is inside: it can only travel between processes of one tree.
 *          BROOD_ENOMEM   and the status of an invalid value.
 * Blocks:  no.
 * Threads: safe, as long as nobody changes the value.
 * Python:  pickle.dumps(value, protocol=4). Nothing is written once and referred to afterwards, but
 *          inside opaques.
 */
BROOD_API brood_status brood_pickle_dumps(const brood_value *value, void **data, size_t *size);

/*
 * Reads a pickle of any protocol, 0 to 5, binary or text. The bytes may come from anywhere: reading
 * them runs nothing, and takes no more memory than the limits say, nor more than what is really
 * there calls for. NULL limits mean the defaults.
 *
 * Errors:  BROOD_EFORMAT   cut short, malformed, bytes after its end, a container that contains
 *                          itself; the message tells the place.
 *          BROOD_EVERSION  a protocol newer than 5.
 *          BROOD_ENOTSUP   a persistent id, an extension code, a brood object.
 *          BROOD_ELIMIT    a limit is reached.
 *          BROOD_ETYPE     a key that is not hashable.
 *          BROOD_ENOMEM    out of memory.
 * Blocks:  no.
 * Threads: safe.
 * Python:  pickle.loads(data), for text of Python 2 with its default encoding, ASCII.
 */
BROOD_API brood_status brood_pickle_loads(const void *data, size_t size,
                                          const brood_pickle_limits *limits, brood_value *value);

BROOD_END_DECLS

#endif /* BROOD_PICKLE_H */
