/*
 * tools/brood/brood.h - the parts of the command.
 */
#ifndef BROOD_TOOL_H
#define BROOD_TOOL_H

/* Runs a subcommand with its arguments, argv[0] being its name; gives the exit code. */
int brood_tool_serve(int argc, char **argv);

#endif /* BROOD_TOOL_H */
