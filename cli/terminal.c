#include "cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include "base/mem.h"

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

char *terminal_plain(const char *text)
{
    char *plain = mem_string(text);
    size_t n = 0;

    for (size_t i = 0; plain[i]; i++) {
        unsigned char c = (unsigned char)plain[i], next = (unsigned char)plain[i + 1];

        if (c == 0xc2 && next >= 0x80 && next < 0xa0) { /* U+0080 to U+009F */
            plain[n++] = '?';
            i++;
        } else {
            plain[n++] = c < ' ' || c == 0x7f ? '?' : (char)c;
        }
    }
    plain[n] = '\0';
    return plain;
}

int terminal_width(FILE *to)
{
    struct winsize size;

    return ioctl(fileno(to), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}
