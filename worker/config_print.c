#include "worker/config_print.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/config_table.h"

void config_help(void)
{
    puts(
        "execq-worker: takes requests from a Redis list, runs each in a Kubernetes Job, publishes the results.\n\n"
        "  execq-worker [--config FILE] [--SETTING VALUE]...\n"
        "  execq-worker --check-config    print the effective settings and leave\n"
        "  execq-worker --runner-manifest print the ConfigMap of the runner, for kubectl create -f -\n"
        "  execq-worker --doctor          look whether Redis and the cluster are fit for it, say what to change, leave\n"
        "                                 (--doctor=json for programs; takes settings as ever, claims nothing)\n"
        "  execq-worker --version | --help\n\n"
        "A setting is given as --slots 8, as EXECQ_SLOTS=8 in the environment, or as slots = 8 in FILE; the first of\n"
        "these that is there counts. Times: 250ms, 30s, 5m, 1h. Sizes: 512Mi, 1G.\n"
        "Signals: SIGTERM or SIGINT drains (see grace), a second one leaves at once.\n"
        "Exit codes: 0 after a drain, 1 failed, 2 a setting must be changed; --doctor: 0 well, 1 something is bad, 2 a\n"
        "setting must be changed.");
    for (const struct setting *s = config_table; s->help; s++) {
        if (!s->name)
            printf("\n%s\n", s->help);
        else if (*s->help)
            printf("  --%-20s %s%s%s%s\n", s->name, s->help, *s->preset ? " [" : "", s->preset, *s->preset ? "]" : "");
        else
            printf("  --%-20s the most that a request may ask for [%s]\n", s->name, s->preset);
    }
}

/* redis://user:***@host: from the last @ back to the first : after the scheme. */
static void print_url(const char *name, const char *url)
{
    const char *scheme = strstr(url, "://"), *at = strrchr(url, '@');
    const char *start = scheme ? scheme + 3 : url;
    const char *colon = at && at > start ? memchr(start, ':', (size_t)(at - start)) : NULL;

    if (colon)
        printf("%s = %.*s:***%s\n", name, (int)(colon - url), url, at);
    else
        printf("%s = %s\n", name, url);
}

static void print_languages(const struct languages *l)
{
    for (size_t i = 0; i < l->count; i++) {
        _cleanup_free_ char *text = language_text(&l->list[i]);

        printf("language = %s\n", text);
    }
}

/* In a form that the file and the flags take back. */
static void print_number(const struct setting *s, int64_t n)
{
    if (s->type == TIME && n % 1000 == 0)
        printf("%s = %llds\n", s->name, (long long)n / 1000);
    else
        printf("%s = %lld%s\n", s->name, (long long)n, s->type == TIME ? "ms" : s->type == CPU ? "m" : "");
}

void config_print(const struct config *c)
{
    for (const struct setting *s = config_table; s->help; s++) {
        const void *at = (const char *)c + s->at;

        if (!s->name)
            printf("%s# %s\n", s > config_table ? "\n" : "", s->help);
        else if (s->type == LANGUAGE)
            print_languages(&c->languages);
        else if (s->type == BOOL)
            printf("%s = %s\n", s->name, *(const bool *)at ? "true" : "false");
        else if (s->type == INT || s->type == BYTES || s->type == TIME || s->type == CPU)
            print_number(s, *(const int64_t *)at);
        else if (s->type == SECRET_URL)
            print_url(s->name, *(char *const *)at);
        else
            printf("%s = %s\n", s->name, *(char *const *)at);
    }
}
