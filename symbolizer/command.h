/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What executing a command leads to, told without executing it. */
#ifndef PYCOST_COMMAND_H
#define PYCOST_COMMAND_H

/*
 * The ELF executable that execvp(command) ends in: search_path (PATH's value,
 * NULL for none) is searched for names without '/', "#!" lines are followed,
 * also those through env.  *ret_path is absolute without symbolic links; free it.
 * -ENOENT no such command, -EACCES, -ENOEXEC neither ELF nor script, -ELOOP
 * scripts within scripts, -ENOMEM.
 */
int command_executable(const char *command, const char *search_path, char **ret_path);

/*
 * The library that an executable names in DT_NEEDED, of those that start with
 * this prefix, where the dynamic linker would find it: DT_RPATH or DT_RUNPATH
 * (with $ORIGIN), LD_LIBRARY_PATH, /etc/ld.so.conf.d and the usual directories.
 * -ENOENT when it needs none, or it is not there.  Free *ret_path.
 */
int command_library(const char *executable, const char *prefix, char **ret_path);

#endif
