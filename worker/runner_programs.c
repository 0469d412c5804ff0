#include "worker/runner_programs.h"

#include <string.h>

#include "base/cleanup.h"

/* The assembler reads the file: no compiler has to look at a table of a hundred thousand numbers. EXECQ_RUNNER_x86_64
 * and EXECQ_RUNNER_aarch64 are the paths that CMake built. */
#define EMBED(symbol, path)                                           \
    __asm__(".pushsection .rodata." #symbol ", \"a\", %progbits\n"    \
            ".balign 16\n"                                            \
            ".globl " #symbol "\n"                                    \
            ".globl " #symbol "_end\n"                                \
            ".hidden " #symbol "\n"                                   \
            ".hidden " #symbol "_end\n" #symbol ":\n"                 \
            ".incbin \"" path "\"\n" #symbol "_end:\n"                \
            ".byte 0\n"                                               \
            ".popsection\n");                                         \
    extern const char symbol[] __attribute__((visibility("hidden"))); \
    extern const char symbol##_end[] __attribute__((visibility("hidden")))

#ifdef EXECQ_RUNNER_x86_64
EMBED(execq_runner_amd64, EXECQ_RUNNER_x86_64);
#endif
#ifdef EXECQ_RUNNER_aarch64
EMBED(execq_runner_arm64, EXECQ_RUNNER_aarch64);
#endif

static struct runner_program programs[] = {
#ifdef EXECQ_RUNNER_x86_64
    {.arch = "amd64", .bytes = execq_runner_amd64},
#endif
#ifdef EXECQ_RUNNER_aarch64
    {.arch = "arm64", .bytes = execq_runner_arm64},
#endif
};

static const char *const ends[] = {
#ifdef EXECQ_RUNNER_x86_64
    execq_runner_amd64_end,
#endif
#ifdef EXECQ_RUNNER_aarch64
    execq_runner_arm64_end,
#endif
};

size_t runner_programs(const struct runner_program **ret)
{
    /* A difference of two symbols is no constant in C, so the lengths are filled in here. */
    for (size_t i = 0; i < COUNT_OF(programs); i++)
        programs[i].len = (size_t)(ends[i] - programs[i].bytes);
    *ret = programs;
    return COUNT_OF(programs);
}

const struct runner_program *runner_program_for(const char *arch)
{
    const struct runner_program *all;
    size_t n = runner_programs(&all);

    for (size_t i = 0; i < n; i++)
        if (strcmp(all[i].arch, arch) == 0)
            return &all[i];
    return NULL;
}
