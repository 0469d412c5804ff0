#pragma once
#include "runner/child.h"

/* What runs between fork and exec, on the far side. */

/** Makes the namespaces usable, and from there: in full isolation stays as PID 1 over the program, else becomes it. */
_Noreturn void nest_run(const struct child_spec *spec, enum isolation level, uid_t uid, gid_t gid,
                        volatile struct child_page *page);

/** In child.c: the steps that nest and program share. */
_Noreturn void child_become(const struct child_spec *spec, enum isolation isolation, volatile struct child_page *page);
void child_close_from(unsigned first);
void child_default_signals(void);
void child_drop_privileges(void);
