#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "devcluster/sandbox.h"

/* What merged-/usr systems have as links beside /usr. */
static const char *const links[] = {"bin", "sbin", "lib", "lib32", "lib64", "libx32"};

void sandbox_plan_release(struct sandbox_plan *plan)
{
    args_release(&plan->argv);
    args_release(&plan->env);
    for (size_t i = 0; i < plan->n_mounts; i++) {
        free(plan->mounts[i].from);
        free(plan->mounts[i].to);
    }
    free(plan->hostname);
    free(plan->workdir);
    free(plan->termination_file);
    free(plan->termination_path);
    *plan = (struct sandbox_plan){0};
}

void sandbox_plan_mount(struct sandbox_plan *plan, const char *from, const char *to, bool read_only)
{
    struct sandbox_mount *m;

    if (plan->n_mounts == SANDBOX_MOUNTS_MAX)
        return; /* the kubelet has refused the pod before */
    m = &plan->mounts[plan->n_mounts++];
    m->from = mem_string(from);
    m->to = mem_string(to);
    m->read_only = read_only;
}

static void add_root(struct args *a, const char *etc)
{
    char path[16], target[64];

    args_add_all(a, "--ro-bind", "/usr", "/usr", NULL);
    for (size_t i = 0; i < COUNT_OF(links); i++) {
        ssize_t len;

        snprintf(path, sizeof(path), "/%s", links[i]);
        len = readlink(path, target, sizeof(target) - 1);
        if (len <= 0)
            continue;
        target[len] = '\0';
        args_add_all(a, "--symlink", target, path, NULL);
    }
    args_add_all(a, "--ro-bind", etc, "/etc", NULL);
    args_add_all(a, "--ro-bind-try", "/etc/alternatives", "/etc/alternatives", NULL);
    args_add_all(a, "--proc", "/proc", "--dev", "/dev", NULL);
    args_add_all(a, "--perms", "1777", "--size", "67108864", "--tmpfs", "/dev/shm", NULL);
}

/* A mount below another one comes after it. */
static int by_path(const void *a, const void *b)
{
    const struct sandbox_mount *const *x = a, *const *y = b;

    return strcmp((*x)->to, (*y)->to);
}

static void add_mounts(struct args *a, const struct sandbox_plan *plan)
{
    const struct sandbox_mount *sorted[SANDBOX_MOUNTS_MAX];

    for (size_t i = 0; i < plan->n_mounts; i++)
        sorted[i] = &plan->mounts[i];
    qsort(sorted, plan->n_mounts, sizeof(*sorted), by_path);
    for (size_t i = 0; i < plan->n_mounts; i++)
        args_add_all(a, sorted[i]->read_only ? "--ro-bind" : "--bind", sorted[i]->from, sorted[i]->to, NULL);
}

void sandbox_command(const struct sandbox_plan *plan, int status_fd, struct args *ret)
{
    args_add_all(ret, plan->bwrap, "--unshare-all", "--die-with-parent", "--new-session", "--as-pid-1", "--cap-drop",
                 "ALL", "--clearenv", NULL);
    args_add(ret, "--uid");
    args_addf(ret, "%lld", (long long)plan->uid);
    args_add(ret, "--gid");
    args_addf(ret, "%lld", (long long)plan->gid);
    args_add(ret, "--json-status-fd");
    args_addf(ret, "%d", status_fd);
    args_add_all(ret, "--hostname", plan->hostname, NULL);
    for (size_t i = 0; i + 1 < plan->env.n; i += 2)
        args_add_all(ret, "--setenv", plan->env.v[i], plan->env.v[i + 1], NULL);
    add_root(ret, plan->etc);
    if (plan->writable_tmp)
        args_add_all(ret, "--perms", "1777", "--size", "268435456", "--tmpfs", "/tmp", NULL);
    else
        args_add_all(ret, "--perms", "1777", "--dir", "/tmp", NULL);
    args_add_all(ret, "--dir", "/var/tmp", "--dir", "/run", "--dir", "/root", "--dir", "/home", NULL);
    add_mounts(ret, plan);
    if (plan->termination_file)
        args_add_all(ret, "--bind", plan->termination_file, plan->termination_path, NULL);
    args_add_all(ret, "--remount-ro", "/dev", "--remount-ro", "/", NULL);
    args_add_all(ret, "--chdir", plan->workdir ? plan->workdir : "/", "--", NULL);
    for (size_t i = 0; i < plan->argv.n; i++)
        args_add(ret, plan->argv.v[i]);
}
