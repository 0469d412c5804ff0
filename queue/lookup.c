#include "queue/lookup.h"

#include <event2/dns.h>
#include <event2/util.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "base/mem.h"

struct lookup {
    struct loop *loop;
    lookup_fn *fn;
    void *arg;
    struct evdns_base *dns;
    struct evdns_getaddrinfo_request *request; /* NULL once it is answered */
    bool answered;
    char host[256], address[NI_MAXHOST]; /* address: "" if there is none */
    struct fault fault;
    struct loop_timer *telling;
    bool ended; /* by lookup_free() */
    LIST_ENTRY(lookup) entry;
};

/* Those that are ended and not freed yet. Where the loop is freed before that, they stay here: evdns had not let go. */
static LIST_HEAD(, lookup) ending = LIST_HEAD_INITIALIZER(ending);

static void tell(void *arg)
{
    struct lookup *u = arg;

    u->fn(u->arg, *u->address ? u->address : NULL, *u->address ? NULL : &u->fault);
}

static void forget(void *arg)
{
    struct lookup *u = arg;

    LIST_REMOVE(u, entry);
    evdns_base_free(u->dns, 1);
    free(u);
}

/* May run inside evdns_getaddrinfo(), and always inside evdns, which does not stand being freed there: so it is told
 * on a stack of our own. */
static void on_found(int error, struct evutil_addrinfo *found, void *arg)
{
    struct lookup *u = arg;

    if (u->ended) {
        if (found)
            evutil_freeaddrinfo(found);
        loop_defer(u->loop, NULL, forget, u);
        return;
    }
    u->answered = true;
    u->request = NULL;
    if (!error && found)
        error = getnameinfo(found->ai_addr, (socklen_t)found->ai_addrlen, u->address, sizeof(u->address), NULL, 0,
                            NI_NUMERICHOST);
    if (found)
        evutil_freeaddrinfo(found);
    if (error)
        fault_set(&u->fault, FAULT_TRANSIENT, "cannot resolve %.128s: %s", u->host, evutil_gai_strerror(error));
    if (error)
        u->address[0] = '\0';
    loop_defer(u->loop, &u->telling, tell, u);
}

struct lookup *lookup_new(struct loop *l, const char *host, lookup_fn *fn, void *arg)
{
    struct evutil_addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP};
    struct lookup *u = mem_new(struct lookup);
    struct evdns_getaddrinfo_request *request;

    u->loop = l;
    u->fn = fn;
    u->arg = arg;
    snprintf(u->host, sizeof(u->host), "%s", host);
    u->dns = evdns_base_new(loop_base(l), EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    if (!u->dns)
        abort();                                                               /* out of memory, as in mem.c */
    evdns_base_resolv_conf_parse(u->dns, DNS_OPTIONS_ALL, "/etc/resolv.conf"); /* if it fails: 127.0.0.1 */
    request = evdns_getaddrinfo(u->dns, u->host, NULL, &hints, on_found, u);
    if (!u->answered)
        u->request = request;
    return u;
}

void lookup_free(struct lookup *u)
{
    if (!u)
        return;
    loop_cancel(&u->telling);
    u->ended = true;
    LIST_INSERT_HEAD(&ending, u, entry);
    /* What is cancelled is told to on_found() later, by evdns, which touches its base then; and of an answered request
     * the half for the other kind of address may still be on its way. So the base goes when that has passed. */
    if (u->request)
        evdns_getaddrinfo_cancel(u->request);
    else
        loop_defer(u->loop, NULL, forget, u);
}
