#pragma once

/** Tells the service manager (sd_notify): "READY=1", "STOPPING=1", "STATUS=...". Does nothing where there is none. */
void notify_manager(const char *state);
