/*
 * proc/block.h - the start block: all that a child learns from its parent, and how it travels.
 *
 * On the bootstrap stream it is a header of fixed form, which any version can read, and then the
 * pickle of one tuple:
 *
 *   header   8 bytes "brood\0SB", protocol (32 bits), size of the payload (32 bits),
 *            one-time token (16 bytes), build id of the executable (32 bytes),
 *            lifeline (32), arena (32), number in the process table (32), 0 (32), arena size (64)
 *   payload  (function reference, arguments, keywords,
 *             name, identity, flags, authkey, log level,
 *             method, default method, depth, greatest depth, start time-out, executable,
 *             parent's pid, parent's name, parent's identity, directory)
 *
 * Numbers are little-endian. Handles are numbers of the handles that the child inherits along with
 * the stream (core/transfer.h), -1 for none. The child checks the header before it reads further:
 * the token against its environment, the protocol, the build; and joins the tree before it reads
 * the payload, because the arguments may refer to objects of the arena.
 */
#ifndef BRI_BLOCK_H
#define BRI_BLOCK_H

#include <brood/init.h>

#include "base/buffer.h"
#include "core/transfer.h"
#include "ipc/proctable.h"
#include "platform/module.h"

/* Raise with any change of the header or of the tuple. */
enum { BRI_PROTOCOL = 1 };

enum {
    BRI_TOKEN_SIZE = 16,
    BRI_BLOCK_HEADER = 88,
    BRI_BLOCK_MAX = 1 << 30 /* bytes of payload */
};

enum { BRI_BLOCK_DAEMON = 1, BRI_BLOCK_FORK_WITH_THREADS = 2 };

/* The part that is in the header: how the child gets into the tree. */
typedef struct bri_start_tree {
    int lifeline; /* numbers of handles; -1: none */
    int arena;
    bri_owner owner; /* 0: none */
    uint64_t reserved;
} bri_start_tree;

typedef struct bri_start_block {
    /* what to run */
    brood_value function; /* a reference; invalid when `pointer` is set */
    brood_function pointer;
    brood_value arguments;
    brood_value keywords;
    /* who the child is */
    const char *name;
    const char *identity;
    unsigned flags; /* BRI_BLOCK_... */
    const void *authkey;
    size_t authkey_size;
    brood_log_level log_level;
    /* settings that it hands on */
    brood_start_method method; /* how it was started */
    brood_start_method default_method;
    int depth;
    int max_depth;
    brood_ms start_timeout;
    const char *executable; /* "": its own */
    /* its parent */
    int64_t parent_pid;
    const char *parent_name;
    const char *parent_identity;
    const char *directory; /* "": the one it is in */

    brood_value whole; /* child: the tuple, which the texts above are in */
} bri_start_block;

/* Appends header and payload. The values stay the block's; handles in them go into `transfer`. */
brood_status bri_block_write(bri_start_block *block, const bri_start_tree *tree,
                             const unsigned char token[BRI_TOKEN_SIZE],
                             const unsigned char build_id[BRP_BUILD_ID_SIZE],
                             struct bri_transfer *transfer, bri_buffer *out);

/* Reads the header and the payload's bytes from the stream.
 * BROOD_EAUTH the token is another; BROOD_EVERSION other protocol or build; BROOD_EFORMAT truncated
 * or no start block; BROOD_ETIMEDOUT. */
brood_status bri_block_receive(brp_handle stream, const unsigned char token[BRI_TOKEN_SIZE],
                               bri_deadline deadline, bri_start_tree *tree, bri_buffer *payload);

/* Takes the payload apart. The values and texts belong to block->whole. */
brood_status bri_block_read(const bri_buffer *payload, struct bri_transfer *transfer,
                            bri_start_block *block);

/* Frees what bri_block_read made. */
void bri_block_clear(bri_start_block *block);

#ifdef BROOD_TESTING
/* When set, is handed every start block before it is sent, to spoil it. */
extern void (*bri_block_spoil)(bri_buffer *whole);
#endif

#endif /* BRI_BLOCK_H */
