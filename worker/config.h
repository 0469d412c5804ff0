#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/log.h"
#include "worker/languages.h"

/* The worker's settings: one table, config_table.c, a row a setting. A flag (--slots 8) beats the environment
 * (EXECQ_SLOTS=8), which beats the file (slots = 8), which beats the default. What is unknown or wrong is a fault
 * that names the setting and where it came from. */

struct config {
    /* the queue */
    char *redis_url, *queue, *worker_name;
    int64_t slots, grace_ms, lease_ms;
    int64_t payload_max, result_max, dead_max, dead_max_bytes, inbox_max, inbox_max_bytes;
    /* the cluster */
    char *kubeconfig, *context, *namespace_;
    char *runtime_class, *service_account, *priority_class, *node_arch, *runner_path;
    char *canary; /* languages, comma-separated */
    bool gvisor_toleration, seccomp, allow_open_network, early_results;
    int64_t run_as, write_rate, call_ms, call_budget_ms, start_budget_ms, job_ttl_ms, sweep_ms;
    /* what a request may ask for, and gets if it is silent */
    char *images;
    int64_t timeout_ms, timeout_max_ms, cpu_milli, cpu_max_milli, cpu_request_milli;
    int64_t memory_bytes, memory_max_bytes, memory_request_bytes, disk_bytes, disk_max_bytes, output_max;
    int64_t output_limit, processes, compile_timeout_ms;
    int64_t result_ttl_ms, result_ttl_max_ms, retry_infra, retry_code, retry_max;
    struct languages languages;
    /* the log */
    char *log_level, *log_format;
};

#define CONFIG_INIT \
    {               \
        0           \
    }

/** What the command line asks for besides settings. */
enum config_action {
    CONFIG_RUN,
    CONFIG_HELP,
    CONFIG_VERSION,
    CONFIG_RUNNER_MANIFEST,
    CONFIG_CHECK,
    CONFIG_DOCTOR,
    CONFIG_DOCTOR_JSON,
};

/** Fills `c` from the command line, `environment` (as environ) and the file that --config or EXECQ_CONFIG names. */
int config_load(struct config *c, int argc, char *const argv[], char *const environment[],
                enum config_action *ret_action, struct fault *f);
void config_release(struct config *c);

/** The settings of a file's text: pure, for tests and fuzzing. `name` is for messages. */
int config_read_text(struct config *c, const char *name, const char *text, size_t len, struct fault *f);

/** Whether `image` may be used: in the list `images` (comma-separated; an entry may end in *), or a language's. */
bool config_allows_image(const struct config *c, const char *image);
