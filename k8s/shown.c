#include "k8s/shown.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "k8s/kubeconfig.h"
#include "k8s/pem.h"

static void append(struct fault *f, const char *text, const char *detail)
{
    size_t used = strlen(f->text);

    snprintf(f->text + used, sizeof(f->text) - used, "%s%.80s", text, detail);
}

static void certificate(const struct shown *s, struct fault *f)
{
    int64_t ends_ms = s->cert ? pem_end_ms(s->cert) : 0;
    time_t ends_s = (time_t)(ends_ms / 1000);
    const char *file = s->config->cert_file;
    char when[32] = "";
    struct tm tm;

    if (!s->cert)
        return;
    append(f, ", the client certificate of ", s->plugin ? "the plugin" : file ? file : "the kubeconfig");
    if (ends_ms && ends_ms < s->now_ms && gmtime_r(&ends_s, &tm) &&
        strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm))
        append(f, ", which expired at ", when);
}

void shown_tell(const struct shown *s, struct fault *f)
{
    const struct kubeconfig *c = s->config;

    if (s->nothing)
        append(f, " (the server was shown nothing, as this is not https", "");
    else if (s->plugin && s->token)
        append(f, " (the server was shown the token of the credential plugin ", c->exec->command);
    else if (c->token_file)
        append(f, " (the server was shown the token in ", c->token_file);
    else if (s->token)
        append(f, " (the server was shown the ", c->token ? "token of the kubeconfig" : "password of the kubeconfig");
    else
        append(f, " (the server was shown no token", "");
    if (!s->nothing)
        certificate(s, f);
    append(f, ")", "");
}
