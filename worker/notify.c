#include "worker/notify.h"

#ifdef EXECQ_HAVE_SYSTEMD
#include <systemd/sd-daemon.h>

void notify_manager(const char *state)
{
    (void)sd_notify(0, state);
}
#else
void notify_manager(const char *state)
{
    (void)state;
}
#endif
