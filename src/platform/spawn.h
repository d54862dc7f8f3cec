/*
 * platform/spawn.h - starts an executable with exact arguments, environment, and only the listed
 * handles.
 *
 * POSIX: posix_spawn with closefrom (never fork: a large parent must not be copied); the fallback
 * without close_range closes by number. Windows: STARTUPINFOEX with HANDLE_LIST and JOB_LIST,
 * CREATE_SUSPENDED, UTF-16, exact quoting by the rules of CommandLineToArgvW. apr_proc_create forks
 * on POSIX, and on Windows inherits every inheritable handle and knows no job.
 */
#ifndef BRP_SPAWN_H
#define BRP_SPAWN_H

#include "platform/child.h"

/* What a standard stream of the child is. */
typedef enum brp_stdio_kind {
    BRP_STDIO_INHERIT = 0,
    BRP_STDIO_NULL,
    BRP_STDIO_HANDLE
} brp_stdio_kind;

typedef struct brp_stdio {
    brp_stdio_kind kind;
    brp_handle handle; /* borrowed; for BRP_STDIO_HANDLE */
} brp_stdio;

typedef struct brp_spawn_options {
    const char *path; /* relative to this process's directory, not to `directory`; NULL: this
                         process's own executable, even if its file was deleted or replaced
                         (Linux) */
    bool search_path; /* look `path` up in this process's PATH when it has no directory */
    const char *const *arguments;   /* argv with its NULL; argv[0] included */
    const char *const *environment; /* "NAME=value" with NULL at the end; NULL: this process's own,
                                       without `marker` */
    const char *directory;          /* working directory, or NULL for this one */
    brp_stdio stdio[3];
    const brp_handle *handles; /* borrowed; the child gets duplicates of these and no other */
    size_t n_handles;
    /* When not NULL the child's environment gets `marker`=H0,H1,...;`marker_suffix` where Hi is
     * handles[i] as text, as the child has it, for brp_handle_parse. It replaces an existing
     * variable of that name. */
    const char *marker;
    const char *marker_suffix;
} brp_spawn_options;

/*
 * Starts the child in a process group (job) of its own, which brp_child_kill_tree ends. On Windows
 * it is suspended until brp_child_let_go; on POSIX it runs at once (brood's children wait for their
 * start block instead). The child has default signal dispositions and an empty mask, on POSIX; on
 * Windows its job ends when this process ends. There it has this process's console; where that has
 * none, a console without a window.
 *
 * Fails with the path in the message: BROOD_ENOTFOUND, BROOD_EACCESS, BROOD_ELIMIT (out of
 * processes or handles), BROOD_EOS. When it is the directory that is missing or closed, the message
 * names that too.
 */
brood_status brp_spawn(brp_child *child, const brp_spawn_options *options);

/* Lets a suspended child run. Harmless where it runs already. */
brood_status brp_child_let_go(brp_child *child);

/* Child: takes the variable `marker` out of this process's environment, the system's and the C
 * library's copy of it, so that no other program inherits it. *value is new text for bri_free; NULL
 * when there is no such variable. */
brood_status brp_marker_take(const char *marker, char **value);

#endif /* BRP_SPAWN_H */
