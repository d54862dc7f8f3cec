/*
 * brood/array.h - numbers, characters and structs in memory that the process tree shares. Python:
 * multiprocessing.Array, and Value, which is an array of one item here.
 *
 * Items have C's types of this system, named by Python's codes:
 *
 *     c  char, as bytes of one           u  a character (32-bit code point), as str of one
 *     b  signed char      B unsigned     h  short      H unsigned     i  int     I unsigned
 *     l  long             L unsigned     q  long long  Q unsigned     f  float   d  double
 *
 * Single items are read and written whole, with and without the lock; add and compare_and_set are
 * atomic too. For anything that takes more than one such step there is the array's lock, which is
 * recursive, and the caller's to take; when its holder dies the next one is told. Every position is
 * checked, every number has to fit.
 *
 * It can go to any process of the tree, like a lock: see brood/lock.h. Python's Value(code, x) is
 * brood_array_create(&array, code, 1, NULL) with position 0.
 */
#ifndef BROOD_ARRAY_H
#define BROOD_ARRAY_H

#include <stdbool.h>
#include <stddef.h>

#include <brood/time.h>
#include <brood/value.h>

BROOD_BEGIN_DECLS

typedef struct brood_array brood_array;

typedef struct brood_array_options {
    bool unlocked; /* it has no lock (Python: lock=False, RawArray, RawValue) */
} brood_array_options;

/*
 * Makes an array of `n` items, all zero. `type` is a code of the table above. NULL options mean all
 * defaults.
 *
 * Errors:  BROOD_EINVALID no such code; BROOD_ENOMEM out of memory, with sizes: the memory is there
 *          when the array is made, so using it never faults; BROOD_ENOINIT.
 * Blocks:  no.
 * Threads: safe.
 * Fork:    the child has the array too, under the same pointer.
 * Python:  multiprocessing.Array(type, n), Value(type).
 */
BROOD_API brood_status brood_array_create(brood_array **array, const char *type, size_t n,
                                          const brood_array_options *options);

/*
 * The same with items that are structs of `item_size` bytes, all zero. They are used by
 * brood_array_data, with the lock held, and must contain no pointers: addresses differ between
 * processes.
 *
 * Errors:  BROOD_EINVALID a size of 0; as above.
 * Python:  multiprocessing.Array(SomeStructure, n).
 */
BROOD_API brood_status brood_array_create_of(brood_array **array, size_t item_size, size_t n,
                                             const brood_array_options *options);

/*
 * The number of items, the size of each in bytes, and the code; "" for structs.
 *
 * Errors:  none; 0 and "" for NULL.
 * Threads: safe.
 * Python:  len(array), ctypes.sizeof.
 */
BROOD_API size_t brood_array_length(const brood_array *array);
BROOD_API size_t brood_array_item_size(const brood_array *array);
BROOD_API const char *brood_array_type(const brood_array *array);

/*
 * The items themselves, in this process's address space, without a copy: `brood_array_length` of
 * them, aligned for any of the types. NULL for NULL, or when a fork could not take the array over.
 * Valid until the last handle and value of the array in this process is gone. What is written here
 * others see at once, in no order: hold the lock, or use C11 atomics.
 *
 * Threads: safe; what is done with it, see above.
 * Python:  Array.get_obj(), numpy.frombuffer.
 */
BROOD_API void *brood_array_data(brood_array *array);

/*
 * Reads an item as a value, and writes one; `value` is moved in.
 *
 * Errors:  BROOD_ERANGE no such position, or the number does not fit into the item (Python cuts
 *          it off without a word); BROOD_ETYPE another type of value, or items that are structs;
 *          BROOD_EFORMAT what stands in an item of type "u" is no character;
 *          BROOD_ECLOSED it ended while this process was forked; BROOD_EINVALID; BROOD_ENOMEM.
 * Blocks:  no. The lock is not taken.
 * Threads: safe; the item is read and written as a whole.
 * Python:  array[position], value.value.
 */
BROOD_API brood_status brood_array_get(brood_array *array, size_t position, brood_value *value);
BROOD_API brood_status brood_array_set(brood_array *array, size_t position, brood_value value);

/*
 * The same with many items at once: `n` from `position` on as a list (bytes for "c", a str for
 * "u"), and as many items as the list, tuple, bytes or str has. A list is checked before anything
 * is written.
 *
 * Errors:  as above; BROOD_ERANGE some of the positions do not exist.
 * Threads: safe; each item for itself. Hold the lock where all have to go together.
 * Python:  array[a:b], array[a:b] = items.
 */
BROOD_API brood_status brood_array_slice(brood_array *array, size_t position, size_t n,
                                         brood_value *items);
BROOD_API brood_status brood_array_assign(brood_array *array, size_t position, brood_value items);

/*
 * Adds to an item in one atomic step; `after`, which may be NULL, is what it has become. The first
 * for integers, of "Q" and "L" as the int64_t with the same bits; the second for "f" and "d".
 *
 * Errors:  BROOD_ERANGE no such position, or the sum does not fit: then nothing has changed;
 *          BROOD_ETYPE items of another type; BROOD_ECLOSED, BROOD_EINVALID as above.
 * Blocks:  no. The lock is neither needed nor taken.
 * Threads: safe.
 * Python:  none; there `value.value += 1` needs the lock.
 */
BROOD_API brood_status brood_array_add(brood_array *array, size_t position, int64_t number,
                                       int64_t *after);
BROOD_API brood_status brood_array_add_float(brood_array *array, size_t position, double number,
                                             double *after);

/*
 * Writes `wanted` if the item is `expected`, in one atomic step, and tells by *done whether it did;
 * if not, *expected becomes what the item is. For integers, as above.
 *
 * Errors:  BROOD_ERANGE no such position, or `wanted` does not fit; BROOD_ETYPE items of another
 *          type; BROOD_ECLOSED, BROOD_EINVALID as above.
 * Blocks:  no. The lock is neither needed nor taken.
 * Threads: safe.
 * Python:  none.
 */
BROOD_API brood_status brood_array_compare_and_set(brood_array *array, size_t position,
                                                   int64_t *expected, int64_t wanted, bool *done);

/*
 * Acquires and releases the array's lock: as brood_rlock_acquire and brood_rlock_release, with
 * BROOD_EOWNERDIED when the last holder died.
 *
 * Errors:  BROOD_ESTATE it has none (option `unlocked`); as those.
 * Python:  Array.get_lock().
 */
BROOD_API brood_status brood_array_acquire(brood_array *array, brood_ms timeout);
BROOD_API brood_status brood_array_release(brood_array *array);

/*
 * Ends one use of the array by this process: as many as it was created, and received, times. The
 * last use of the last process frees it. NULL is ignored.
 *
 * Blocks:  no.
 * Threads: safe, but not while another thread uses the same pointer.
 */
BROOD_API void brood_array_destroy(brood_array *array);

/*
 * The array as a value, as brood_lock_value; the invalid value on failure.
 *
 * Errors:  BROOD_EINVALID, BROOD_ENOMEM, to be seen in brood_last_error().
 * Threads: safe.
 */
BROOD_API brood_value brood_array_value(brood_array *array);

/*
 * The array in a value, borrowed: valid as long as the value is.
 *
 * Errors:  BROOD_ETYPE the value is something else.
 * Threads: as the value.
 */
BROOD_API brood_status brood_get_array(const brood_value *value, brood_array **array);

BROOD_END_DECLS

#endif /* BROOD_ARRAY_H */
