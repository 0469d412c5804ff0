#pragma once
#include <stddef.h>

/* The Lua scripts, each one atomic step of the queue (the .lua files say what each takes and answers). They are
 * embedded at build time; Redis knows them by their SHA-1 and is told the text again when it has forgotten it. */

enum script_id {
    SCRIPT_REGISTER,
    SCRIPT_BEAT,
    SCRIPT_CLAIM,
    SCRIPT_ADMIT,
    SCRIPT_FINISH,
    SCRIPT_DELAY,
    SCRIPT_PROMOTE,
    SCRIPT_RELEASE,
    SCRIPT_BURY,
    SCRIPT_RETIRE,
    SCRIPT_SURVEY,
    SCRIPT_RECOVER,
    SCRIPT_SWEEP,
    SCRIPT_CHECK,
    SCRIPT_LEAVE,
    SCRIPT_COUNT,
};

struct script {
    const char *name, *sha;
    const unsigned char *text;
    size_t len;
};

extern const struct script scripts[SCRIPT_COUNT];
