#include "fake_run.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/field.h"
#include "base/mem.h"
#include "fake_kube_inside.h"
#include "k8s/manifest.h"

/* What the runner says, and how it gets it out. */
static void write_report(struct script *k)
{
    const struct fake_run *run = &k->run;
    struct json_object *out = json_object_new_string(run->log ? run->log : "");
    _cleanup_free_ char *report = NULL;
    char digest[DIGEST_HEX];

    free(k->log);
    free(k->message);
    k->log = k->message = NULL;
    if (run->report)
        report = mem_string(run->report);
    else if (run->word)
        report = mem_format("{\"execq_report\":1,\"isolation\":\"full\",\"run\":{%s,\"wall_ms\":150,\"cpu_ms\":20,"
                            "\"max_rss_bytes\":4096,\"stdout\":%s,\"stdout_bytes\":%zu,\"stderr\":\"\","
                            "\"stderr_bytes\":0},\"wall_ms\":160}",
                            run->word, json_object_to_json_string(out), strlen(json_object_get_string(out)));
    json_object_put(out);
    if (!report)
        return;
    k->log = mem_format("%s\n", report);
    digest_sha256_hex(report, strlen(report), digest);
    k->message = run->long_report ? mem_format("{\"execq_report\":1,\"lines\":1,\"bytes\":%zu,\"sha256\":\"%s\"}",
                                               strlen(report), digest)
                                  : mem_string(report);
}

void fake_kube_run(struct kube *k, const struct fake_run *run)
{
    struct fake_run usual = {.schedule_ms = 20,
                             .start_ms = 300,
                             .run_ms = 200,
                             .waiting = {.exit_code = -1, .signal = -1},
                             .end = {.exit_code = 0, .signal = -1},
                             .word = "\"end\":\"exit\",\"exit_code\":0",
                             .log = "42\n"};

    k->script[0].run = run ? *run : usual;
    k->script[0].log_reads = 0;
    write_report(&k->script[0]);
}

void fake_kube_run_for(struct kube *k, const char *id, const struct fake_run *run)
{
    struct script *s = NULL;

    for (size_t i = 1; i < k->scripts; i++)
        if (strcmp(k->script[i].id, id) == 0)
            s = &k->script[i];
    if (!s) {
        if (k->scripts == COUNT_OF(k->script))
            abort();
        s = &k->script[k->scripts++];
        s->id = mem_string(id);
    }
    s->run = *run;
    s->log_reads = 0;
    write_report(s);
}

struct script *fake_run_script(struct kube *k, struct object *job)
{
    const char *id = job ? field_peek_string(field_peek(fake_object_meta(job->json), "annotations"), ANNOTATION_ID)
                         : NULL;

    for (size_t i = 1; id && i < k->scripts; i++) {
        size_t len = strlen(k->script[i].id);

        if (strlen(id) >= len && strcmp(id + strlen(id) - len, k->script[i].id) == 0)
            return &k->script[i];
    }
    return &k->script[0];
}
