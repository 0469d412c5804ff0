#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"

/* What the server was shown when it answered 401, for people: "Unauthorized" alone tells nobody what to mend. Pure. */

struct kubeconfig;

struct shown {
    const struct kubeconfig *config;
    bool nothing;     /* the connection is not https */
    bool token;       /* or user name and password */
    bool plugin;      /* it came from the credential plugin */
    const char *cert; /* PEM; NULL for none */
    int64_t now_ms;
};

/** Appends it to the fault's text: files, where there are any, and no secret. */
void shown_tell(const struct shown *s, struct fault *f);
