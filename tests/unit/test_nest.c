/* What the process between runner and program has open when the program comes into being. */
#include "unit/check.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runner/child.h"

enum { RUNNERS = 100 }; /* a descriptor, as its standard output is one */

struct seen {
    int forks, open;
};

static volatile struct seen *seen; /* shared with the nest */

pid_t __real_fork(void);
pid_t __wrap_fork(void);

/* In the nest: from here on the program runs. */
pid_t __wrap_fork(void)
{
    seen->forks++;
    for (int fd = 3; fd < 1024; fd++)
        seen->open += fcntl(fd, F_GETFD) >= 0;
    return __real_fork();
}

static void nothing_of_the_runners_is_open(void **state)
{
    const char *argv[] = {"/bin/sh", "-c", "echo hello; echo no >&2; cat", NULL}, *env[] = {NULL};
    struct child_spec spec = {.argv = argv, .env = env, .cwd = "/"};
    int in[2], out[2], err[2], status;
    struct child child;
    char text[32] = "";
    bool isolated;

    (void)state;
    seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(seen != MAP_FAILED);
    assert_int_equal(pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC) | pipe2(err, O_CLOEXEC), 0);
    assert_int_equal(dup2(1, RUNNERS), RUNNERS);
    spec.in = in[0], spec.out = out[1], spec.err = err[1];
    if (child_start(&spec, ISOLATION_FULL, &child) < 0)
        skip(); /* nobody is isolated here */
    close(in[0]), close(out[1]), close(err[1]);
    assert_int_equal(write(in[1], "there\n", 6), 6);
    close(in[1]);
    assert_int_equal(waitpid(child.pid, &status, 0), child.pid);
    isolated = child.page->word != CHILD_NOT_ISOLATED;
    if (isolated) {
        assert_int_equal(child.page->word, CHILD_ENDED);
        assert_int_equal(child.page->status, 0);
        assert_int_equal(seen->forks, 1);
        assert_int_equal(seen->open, 0);
        assert_int_equal(read(out[0], text, sizeof(text) - 1), 12);
        assert_string_equal(text, "hello\nthere\n");
        assert_int_equal(read(err[0], text, sizeof(text) - 1), 3);
    }
    close(out[0]), close(err[0]), close(RUNNERS);
    child_release(&child);
    munmap((void *)seen, sizeof(*seen));
    if (!isolated)
        skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_of_the_runners_is_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
