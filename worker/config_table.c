#include "worker/config_table.h"

#if defined(__aarch64__)
#define NATIVE_ARCH "arm64"
#else
#define NATIVE_ARCH "amd64"
#endif

#define AT(field) offsetof(struct config, field)
#define ONE_DAY   86400000
#define GIB(n)    ((int64_t)(n) << 30)

/* clang-format off */
const struct setting config_table[] = {
    {.help = "Queue"},
    {"redis-url", SECRET_URL, AT(redis_url), "redis://127.0.0.1:6379", 0, 0, "redis://[user[:password]@]host[:port][/db] or unix:///path/to.sock"},
    {"queue", NAME, AT(queue), "default", 0, 0, "name of the queue: requests are read from execq:{NAME}:requests"},
    {"worker-name", NAME, AT(worker_name), "", 0, 0, "this worker; must be unique (default: host, pid and a random part)"},
    {"slots", INT, AT(slots), "64", 1, 10000, "requests in flight at once"},
    {"grace", TIME, AT(grace_ms), "25s", 0, ONE_DAY, "after SIGTERM: time to finish what runs; the rest is handed back"},
    {"lease", TIME, AT(lease_ms), "30s", 1000, 3600000, "a worker that is silent for so long loses its requests to others"},
    {"payload-max", BYTES, AT(payload_max), "1Mi", 1024, 1048576, "largest request"},
    {"result-max", BYTES, AT(result_max), "4Mi", 4096, 64 << 20, "largest encoded result"},
    {"dead-max", INT, AT(dead_max), "10000", 0, 100000000, "most entries of the list of dead requests"},
    {"dead-max-bytes", BYTES, AT(dead_max_bytes), "256Mi", 0, GIB(64), "most bytes of it"},
    {"inbox-max", INT, AT(inbox_max), "1000000", 1, INT64_MAX / 2, "most waiting requests; what is over it is rejected"},
    {"inbox-max-bytes", BYTES, AT(inbox_max_bytes), "1Gi", 1048576, GIB(1024), "most bytes of waiting requests"},
    {.help = "Cluster"},
    {"kubeconfig", TEXT, AT(kubeconfig), "", 0, 0, "file (default: $KUBECONFIG, the pod's own account, ~/.kube/config)"},
    {"context", TEXT, AT(context), "", 0, 0, "context of the kubeconfig (default: its current-context)"},
    {"namespace", TEXT, AT(namespace_), "", 0, 0, "where the Jobs run (default: the context's)"},
    {"runtime-class", TEXT, AT(runtime_class), "gvisor", 0, 0, "RuntimeClass of the pods; empty: the cluster's default"},
    {"gvisor-toleration", BOOL, AT(gvisor_toleration), "true", 0, 0, "tolerate sandbox.gke.io/runtime=gvisor:NoSchedule"},
    {"service-account", TEXT, AT(service_account), "", 0, 0, "of the pods; its token is never mounted"},
    {"priority-class", TEXT, AT(priority_class), "", 0, 0, "of the pods"},
    {"node-arch", TEXT, AT(node_arch), NATIVE_ARCH, 0, 0, "kubernetes.io/arch of the nodes: amd64 or arm64"},
    {"runner-path", TEXT, AT(runner_path), "", 0, 0, "execq-runner in the image (default: a ConfigMap brings it to any image)"},
    {"run-as", INT, AT(run_as), "65532", 1, 4294967294, "user and group id of the code"},
    {"seccomp", BOOL, AT(seccomp), "true", 0, 0, "seccompProfile RuntimeDefault (Pod Security \"restricted\" needs it)"},
    {"write-rate", INT, AT(write_rate), "50", 1, 10000, "creates and deletes a second"},
    {"call-timeout", TIME, AT(call_ms), "10s", 100, 600000, "for one try of an API call"},
    {"call-budget", TIME, AT(call_budget_ms), "30s", 100, 3600000, "for an API call with all its repeats; twice that for a pod that is late to tell"},
    {"start-budget", TIME, AT(start_budget_ms), "120s", 1000, ONE_DAY, "from the Job to the start of the code: scheduling and image pull"},
    {"job-ttl", TIME, AT(job_ttl_ms), "300s", 1000, ONE_DAY, "a finished Job that nobody deleted goes after this"},
    {"sweep", TIME, AT(sweep_ms), "30s", 1000, ONE_DAY, "how often to look for Jobs that dead workers left"},
    {"canary", TEXT, AT(canary), "python", 0, 0, "languages tried before anything is claimed, comma-separated; empty: nothing is tried"},
    {"allow-open-network", BOOL, AT(allow_open_network), "false", 0, 0, "work although the canary found the pods' network open"},
    {"early-results", BOOL, AT(early_results), "true", 0, 0, "attach to pods to hear the result before the kubelet tells; only where the canary saw full isolation"},
    {.help = "Requests: what one may ask for, and gets if it is silent"},
    {"images", TEXT, AT(images), "", 0, 0, "images that a request may name, comma-separated; an entry may end in *"},
    {"language", LANGUAGE, AT(languages), "", 0, 0, "adds one: NAME=IMAGE,FILE,RUN... or NAME=IMAGE,FILE,COMPILE...,=>,RUN... (may be given again and again)"},
    {"timeout", TIME, AT(timeout_ms), "300s", 1, ONE_DAY, "wall time of the code"},
    {"timeout-max", TIME, AT(timeout_max_ms), "1h", 1, ONE_DAY, ""},
    {"cpu", CPU, AT(cpu_milli), "500m", 1, 1000000, "CPU limit"},
    {"cpu-max", CPU, AT(cpu_max_milli), "2", 1, 1000000, ""},
    {"cpu-request", CPU, AT(cpu_request_milli), "200m", 1, 1000000, "CPU reserved on the node (never over the limit)"},
    {"memory", BYTES, AT(memory_bytes), "512Mi", 1048576, GIB(4096), "memory limit"},
    {"memory-max", BYTES, AT(memory_max_bytes), "4Gi", 1048576, GIB(4096), ""},
    {"memory-request", BYTES, AT(memory_request_bytes), "256Mi", 1048576, GIB(4096), "memory reserved on the node (never over the limit)"},
    {"disk", BYTES, AT(disk_bytes), "256Mi", 1048576, GIB(4096), "what the code may write"},
    {"disk-max", BYTES, AT(disk_max_bytes), "4Gi", 1048576, GIB(4096), ""},
    {"output-max", BYTES, AT(output_max), "1Mi", 1, 16 << 20, "bytes of a stream that a result carries"},
    {"output-limit", BYTES, AT(output_limit), "64Mi", 1024, GIB(64), "code that writes more to one stream is ended (output_limit)"},
    {"processes", INT, AT(processes), "512", 0, 1000000, "processes and threads of the code, where its own user namespace counts them (gVisor); 0: any"},
    {"compile-timeout", TIME, AT(compile_timeout_ms), "60s", 1, ONE_DAY, "of the compile stage of languages that have one"},
    {"result-ttl", TIME, AT(result_ttl_ms), "1h", 1000, 30LL * ONE_DAY, "how long a result is kept"},
    {"result-ttl-max", TIME, AT(result_ttl_max_ms), "24h", 1000, 30LL * ONE_DAY, ""},
    {"retry-infra", INT, AT(retry_infra), "2", 0, 100, "further attempts after a fault of our side"},
    {"retry-code", INT, AT(retry_code), "0", 0, 100, "further attempts after a failure of the code"},
    {"retry-max", INT, AT(retry_max), "10", 0, 100, "most of each that a request may ask for"},
    {.help = "Log"},
    {"log-level", LEVEL, AT(log_level), "info", 0, 0, "error, warning, info or debug"},
    {"log-format", FORMAT, AT(log_format), "text", 0, 0, "text (key=value) or json"},
    {0},
};
/* clang-format on */
