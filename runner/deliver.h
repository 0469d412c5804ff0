#pragma once
#include "runner/report.h"

/* Where a report goes: whole into the termination message if it fits there, else as lines to the log, whose number
 * and digest the message then carries. Only when nothing else runs any more.
 *
 * A short report is announced, if the plan wants it: written to the log, too, as a line of its own, for whoever is
 * attached to the container and need not wait until the kubelet looks; and once more a moment later, as they come when
 * they believe that it has just started. Only in full isolation, where no code ever came near that descriptor. Nobody
 * may be there: the message is what counts. */

enum {
    DELIVER_MESSAGE_MAX = 4096, /* what the kubelet takes of a termination message */
    DELIVER_LINE_MAX = 15000,   /* bytes of a line; container runtimes cut them at 16 KiB */
    DELIVER_AGAIN_MS = 150,     /* from one announcement to the other: three times by how much starts are spread */
};

/** Writes it. `message` and `log` are descriptors. Returns 0 or the code to end with. */
int deliver(const struct outcome *o, int message, int log);
