/*
 * brood/shared_memory.h - memory that any process finds by its name, and lists in such memory.
 * Python: multiprocessing.shared_memory.
 *
 * For data of processes that are not of one tree, Python's among them; within a tree
 * brood_array needs no name. Names are 1 to 30 characters of [A-Za-z0-9_.-], not beginning with a
 * dot; a Python process finds the same memory by the same name.
 *
 * Who removes the name is said when it is made. On POSIX a small process of its own guards the
 * names of a process (but not persistent ones), and removes them when that process is killed: it is
 * this program again, and ends when it has nothing to guard.
 */
#ifndef BROOD_SHARED_MEMORY_H
#define BROOD_SHARED_MEMORY_H

#include <stddef.h>

#include <brood/value.h>

BROOD_BEGIN_DECLS

typedef struct brood_shared_memory brood_shared_memory;

/* When the name goes, if nobody unlinks it before. The memory itself stays until the last process
 * that has it open closes it or ends. */
typedef enum brood_lifetime {
    BROOD_LIFETIME_OWNER = 0,  /* with the process that made it: closed, ended or killed */
    BROOD_LIFETIME_HOLDERS,    /* with the last brood process that has it open */
    BROOD_LIFETIME_PERSISTENT, /* not at all (on POSIX: until the system is started anew) */
} brood_lifetime;

/*
 * Makes shared memory of `size` bytes, all zero. `name` NULL: a new name
 * (brood_shared_memory_name).
 *
 * Errors:  BROOD_EEXIST the name is taken; BROOD_ENOMEM there is no room, with sizes: the memory is
 *          there when it is made, so using it never faults; BROOD_EINVALID a wrong name, no size
 *          or one of 2^63 and more;
 *          BROOD_ESTART the guard did not start; BROOD_ENOINIT.
 * Blocks:  as long as it takes to make the memory: 0.2 s a GiB.
 * Threads: safe.
 * Fork:    the child has it too, under the same pointer, but is not its owner.
 * Python:  SharedMemory(name, create=True, size=size).
 */
BROOD_API brood_status brood_shared_memory_create(brood_shared_memory **memory, const char *name,
                                                  size_t size, brood_lifetime lifetime);

/*
 * Opens what any process has made.
 *
 * Errors:  BROOD_ENOTFOUND there is none of that name, or (Windows) its owner has died;
 *          BROOD_EACCESS; BROOD_ENOMEM; BROOD_EINVALID a wrong name; BROOD_ENOINIT.
 * Blocks:  no.
 * Threads: safe.
 * Python:  SharedMemory(name).
 */
BROOD_API brood_status brood_shared_memory_open(brood_shared_memory **memory, const char *name);

/*
 * Takes a name away, whoever has made it. Who has it open keeps the memory. On Windows the name of
 * memory that is not persistent can be used again only when all have closed it.
 *
 * Errors:  BROOD_ENOTFOUND; BROOD_EACCESS; BROOD_EINVALID.
 * Blocks:  no.
 * Threads: safe.
 * Python:  SharedMemory.unlink(), which does nothing on Windows.
 */
BROOD_API brood_status brood_shared_memory_unlink(const char *name);

/*
 * The memory: where it is in this process, its size in bytes, and its name. The size is what was
 * asked for; of memory that a foreign process has made on Windows it may be more. Valid until the
 * last handle and value of it in this process is gone. NULL, 0 and "" for NULL.
 *
 * Threads: safe. What is written others see at once, in no order: use a lock, or C11 atomics.
 * Python:  SharedMemory.buf, size, name.
 */
BROOD_API void *brood_shared_memory_data(brood_shared_memory *memory);
BROOD_API size_t brood_shared_memory_size(const brood_shared_memory *memory);
BROOD_API const char *brood_shared_memory_name(const brood_shared_memory *memory);

/*
 * Ends one use of the memory by this process. The last one unmaps it and, if its lifetime is over
 * then, removes the name. NULL is ignored.
 *
 * Blocks:  no.
 * Threads: safe, but not while another thread uses the same pointer.
 * Python:  SharedMemory.close().
 */
BROOD_API void brood_shared_memory_close(brood_shared_memory *memory);

/*
 * The memory as a value that can be put into arguments, messages and tasks: it travels as its name.
 * The value is one more use of it in this process. The invalid value on failure.
 *
 * Errors:  BROOD_EINVALID, BROOD_ENOMEM, to be seen in brood_last_error().
 * Threads: safe.
 */
BROOD_API brood_value brood_shared_memory_value(brood_shared_memory *memory);

/*
 * The memory in a value, borrowed: valid as long as the value is.
 *
 * Errors:  BROOD_ETYPE the value is something else.
 * Threads: as the value.
 */
BROOD_API brood_status brood_get_shared_memory(const brood_value *value,
                                               brood_shared_memory **memory);

/*
 * ---- Lists ----
 *
 * A list of a fixed number of items in shared memory, in Python's layout: a Python process sees it
 * as a ShareableList of the same name. Items are None, bool, int (64 bits), float, str and bytes; a
 * str or bytes has the room that the first one at its place needed, rounded up to the next multiple
 * of 8, and all others 8 bytes. Bytes lose NULs at their end, as Python's do. There is no lock in
 * it. An item of 8 bytes is written at once: others see the old or the new one, also when the
 * writer is killed. Who is killed while it writes a longer one, or one of another type, leaves some
 * value.
 */
typedef struct brood_shareable_list brood_shareable_list;

/*
 * Makes a list in new shared memory; `items`, a list or tuple, is moved in.
 *
 * Errors:  as brood_shared_memory_create; BROOD_ETYPE an item of another type; BROOD_ERANGE an
 *          integer beyond 64 bits.
 * Python:  ShareableList(items, name=name).
 */
BROOD_API brood_status brood_shareable_list_create(brood_shareable_list **list, const char *name,
                                                   brood_value items, brood_lifetime lifetime);

/*
 * Opens a list that any process has made. What stands there is not trusted: every offset is
 * checked.
 *
 * Errors:  as brood_shared_memory_open; BROOD_EFORMAT it is no list.
 * Python:  ShareableList(name=name).
 */
BROOD_API brood_status brood_shareable_list_open(brood_shareable_list **list, const char *name);

/* The memory that it is in, borrowed; NULL for NULL. Python: ShareableList.shm. */
BROOD_API brood_shared_memory *brood_shareable_list_memory(brood_shareable_list *list);

/* How many items it has; 0 for NULL. Python: len(list). */
BROOD_API size_t brood_shareable_list_length(const brood_shareable_list *list);

/*
 * Reads and writes an item; `value` is moved in.
 *
 * Errors:  BROOD_ERANGE no such position, an integer beyond 64 bits; BROOD_ETOOLONG no room for
 *          the str or bytes (Python: ValueError); BROOD_ETYPE; BROOD_EFORMAT what stands there is
 *          no item; BROOD_EINVALID; BROOD_ENOMEM.
 * Blocks:  no.
 * Threads: one at a time, also of different processes, for each item that is written.
 * Python:  list[position], list[position] = value.
 */
BROOD_API brood_status brood_shareable_list_get(brood_shareable_list *list, size_t position,
                                                brood_value *value);
BROOD_API brood_status brood_shareable_list_set(brood_shareable_list *list, size_t position,
                                                brood_value value);

/*
 * Ends one use of the list by this process; the last one closes its memory, as
 * brood_shared_memory_close. NULL is ignored.
 */
BROOD_API void brood_shareable_list_close(brood_shareable_list *list);

/*
 * The list as a value, and the list in a value (borrowed), as brood_shared_memory_value and
 * brood_get_shared_memory: it travels as its name, so who receives it opens it (and may fail as
 * brood_shareable_list_open).
 *
 * Python:  a pickled ShareableList, which is its name too.
 */
BROOD_API brood_value brood_shareable_list_value(brood_shareable_list *list);
BROOD_API brood_status brood_get_shareable_list(const brood_value *value,
                                                brood_shareable_list **list);

BROOD_END_DECLS

#endif /* BROOD_SHARED_MEMORY_H */
