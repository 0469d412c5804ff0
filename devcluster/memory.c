#include "devcluster/memory.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Reads a small file whole; its length, or -1. */
static ssize_t read_file(int dir_fd, const char *path, char *to, size_t size)
{
    int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC);
    ssize_t len;

    if (fd < 0)
        return -1;
    len = read(fd, to, size - 1);
    close(fd);
    if (len >= 0)
        to[len] = '\0';
    return len;
}

/* All resident pages, file pages too: never less than what is charged. */
static int64_t resident(int proc_fd, const char *pid)
{
    char path[32], text[128], *second;

    snprintf(path, sizeof(path), "%.15s/statm", pid);
    if (read_file(proc_fd, path, text, sizeof(text)) <= 0 || !(second = strchr(text, ' ')))
        return 0;
    return (int64_t)strtoll(second, NULL, 10) * sysconf(_SC_PAGESIZE);
}

static int64_t line_bytes(const char *text, const char *name)
{
    const char *line = strstr(text, name);

    return line ? (int64_t)strtoll(line + strlen(name), NULL, 10) * 1024 : -1;
}

/* Each process's share of its anonymous and shared pages, so that what forks have in common counts once. */
static int64_t charged(int proc_fd, const char *pid)
{
    char path[32], text[4096];
    int64_t anon, shared;

    snprintf(path, sizeof(path), "%.15s/smaps_rollup", pid);
    if (read_file(proc_fd, path, text, sizeof(text)) <= 0)
        return resident(proc_fd, pid);
    anon = line_bytes(text, "\nPss_Anon:");
    shared = line_bytes(text, "\nPss_Shmem:");
    if (anon < 0 || shared < 0) /* kernels before 5.16 do not tell them apart */
        return line_bytes(text, "\nPss:");
    return anon + shared;
}

static int sum(int proc_fd, int64_t (*of)(int, const char *), struct memory_use *ret)
{
    int copy = openat(proc_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    struct dirent *entry;

    *ret = (struct memory_use){0};
    if (!dir) {
        if (copy >= 0)
            close(copy);
        return -1;
    }
    while ((entry = readdir(dir))) {
        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        ret->processes++;
        ret->bytes += of(proc_fd, entry->d_name);
    }
    closedir(dir);
    return ret->processes > 0 ? 0 : -1;
}

int memory_look(int proc_fd, int64_t enough, struct memory_use *ret)
{
    if (sum(proc_fd, resident, ret) < 0)
        return -1;
    return ret->bytes <= enough ? 0 : sum(proc_fd, charged, ret);
}
