/*
 * proc/note.h - what a child tells its parent over the bootstrap stream: hello, why it could not
 * start, why its function failed. Short: nobody may be reading yet.
 */
#ifndef BRI_NOTE_H
#define BRI_NOTE_H

#include <brood/value.h>

#include "base/deadline.h"
#include "platform/handle.h"

typedef enum bri_note_kind {
    BRI_NOTE_HELLO = 'H',   /* no value */
    BRI_NOTE_REFUSAL = 'R', /* (status, system code, message) */
    BRI_NOTE_FAILURE = 'F', /* as bri_outcome_reduce gives it */
    BRI_NOTE_EXIT = 'X'     /* forkserver to parent: the exit code */
} bri_note_kind;

typedef struct bri_note {
    bri_note_kind kind;
    int64_t pid;       /* of the sender */
    brood_value value; /* owned; invalid for hello */
} bri_note;

/* Sends one; the value stays the caller's. BROOD_ETOOLONG when it has more than 32 KiB. */
brood_status bri_note_send(brp_handle stream, const bri_note *note, bri_deadline deadline);

/* Receives one. BROOD_EEOF when the stream ends before it, BROOD_EFORMAT, BROOD_ETIMEDOUT. */
brood_status bri_note_receive(brp_handle stream, bri_note *note, bri_deadline deadline);

#endif /* BRI_NOTE_H */
