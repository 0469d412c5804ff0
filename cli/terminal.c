#include "cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

bool terminal_is_live(FILE *to)
{
    const char *term = getenv("TERM");

    return isatty(fileno(to)) && term && *term && strcmp(term, "dumb") != 0;
}

const char *terminal_color(FILE *to, enum color c)
{
    static const char *const sequence[] = {
        [COLOR_NONE] = "\033[0m",    [COLOR_RED] = "\033[31m", [COLOR_GREEN] = "\033[32m",
        [COLOR_YELLOW] = "\033[33m", [COLOR_DIM] = "\033[2m",  [COLOR_BOLD] = "\033[1m",
    };
    const char *no_color = getenv("NO_COLOR");

    return terminal_is_live(to) && !(no_color && *no_color) ? sequence[c] : "";
}

int terminal_width(FILE *to)
{
    struct winsize size;

    return ioctl(fileno(to), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}
