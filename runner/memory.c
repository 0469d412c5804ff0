#include "runner/memory.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runner/bytes.h"

/* "oom_kill N" on a line of its own. */
static int64_t read_count(const char *path)
{
    char text[1024], *line;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return -1;
    n = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (n <= 0)
        return -1;
    text[n] = 0;
    line = strstr(text, "oom_kill ");
    return line && (line == text || line[-1] == '\n') ? strtoll(line + 9, NULL, 10) : -1;
}

int64_t memory_kills(void)
{
    static const char *const files[] = {"/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"};

    for (size_t i = 0; i < COUNT_OF(files); i++) {
        int64_t n = read_count(files[i]);

        if (n >= 0)
            return n;
    }
    return -1;
}
