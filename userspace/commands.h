/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One function a command; each returns the exit code: 0 ok, 1 failure, 2 usage. */
#ifndef PYCOST_COMMANDS_H
#define PYCOST_COMMANDS_H

int cmd_record(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_top(int argc, char **argv);
int cmd_requests(int argc, char **argv);
int cmd_imports(int argc, char **argv);
int cmd_gc(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_calibrate(int argc, char **argv);
#ifdef PYCOST_FLEET
int cmd_agent(int argc, char **argv);
int cmd_serve(int argc, char **argv);
int cmd_push(int argc, char **argv);
int cmd_query(int argc, char **argv);
#endif

#endif
