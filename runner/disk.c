#include "runner/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runner/bytes.h"

void disk_init(struct disk *d, const char **folders)
{
    *d = (struct disk){.folders = folders};
}

static void push(struct disk *d, int at, const char *name)
{
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK | (d->depth ? O_NOFOLLOW : 0));
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;

    if (folder)
        d->open[d->depth++] = folder;
    else if (fd >= 0)
        close(fd);
}

static void count_entry(struct disk *d, DIR *in, const char *name)
{
    struct stat st;

    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || fstatat(dirfd(in), name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return;
    if (!S_ISDIR(st.st_mode))
        d->sum += (int64_t)st.st_blocks * 512 / (st.st_nlink > 0 ? (int64_t)st.st_nlink : 1);
    else if (d->depth < DISK_DEPTH_MAX)
        push(d, dirfd(in), name);
    else
        d->deep = true;
}

bool disk_count(struct disk *d, int64_t slice_ms, int64_t *ret_bytes)
{
    int64_t until = now_ms() + slice_ms;

    for (unsigned n = 0;; n++) {
        struct dirent *entry;

        if (n % 64 == 63 && now_ms() >= until)
            return false;
        if (d->depth == 0) {
            if (!d->folders[d->next])
                break;
            push(d, AT_FDCWD, d->folders[d->next++]);
            continue;
        }
        entry = readdir(d->open[d->depth - 1]);
        if (entry)
            count_entry(d, d->open[d->depth - 1], entry->d_name);
        else
            closedir(d->open[--d->depth]);
    }
    *ret_bytes = d->deep ? INT64_MAX : d->sum;
    disk_init(d, d->folders);
    return true;
}

void disk_release(struct disk *d)
{
    while (d->depth > 0)
        closedir(d->open[--d->depth]);
}
