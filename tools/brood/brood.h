/*
 * tools/brood/brood.h - the parts of the command.
 */
#ifndef BROOD_TOOL_H
#define BROOD_TOOL_H

#include <stdio.h>

/* Runs a subcommand with its arguments, argv[0] being its name; gives the exit code. */
int brood_tool_serve(int argc, char **argv);

/* Opens a file with a key. NULL: it could not be opened, or is not to be used, which *trouble then
 * tells: also when others have access to it, where the system's rights can tell. */
FILE *brood_tool_open_key(const char *path, const char **trouble);

#endif /* BROOD_TOOL_H */
