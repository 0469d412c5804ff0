#include "worker/probe.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum { PATIENT_S = 30 /* for every probe but that of the timeout: a slow node is no fault */ };

/* --- the programs ------------------------------------------------------------------------------------------------ */

/* Go and Java print with what costs the least to compile. */
/* clang-format off */
static const struct {
    const char *language, *id, *code;
} programs[] = {
    {"python", "python", "import sys\nprint('out')\nprint('err', file=sys.stderr)\nsys.exit(3)\n"},
    {"bash", "bash", "echo out\necho err >&2\nexit 3\n"},
    {"node", "node", "console.log('out');\nconsole.error('err');\nprocess.exitCode = 3;\n"},
    {"go", "go", "package main\n\nimport \"os\"\n\nfunc main() {\n\tos.Stdout.WriteString(\"out\\n\")\n\tos.Stderr.WriteString(\"err\\n\")\n\tos.Exit(3)\n}\n"},
    {"c", "c", "#include <stdio.h>\nint main(void) { puts(\"out\"); fputs(\"err\\n\", stderr); return 3; }\n"},
    {"c++", "cxx", "#include <iostream>\nint main() { std::cout << \"out\\n\"; std::cerr << \"err\\n\"; return 3; }\n"},
    {"java", "java", "class Main {\n  public static void main(String[] a) {\n    System.out.println(\"out\");\n    System.err.println(\"err\");\n    System.exit(3);\n  }\n}\n"},
    {"rust", "rust", "fn main() { println!(\"out\"); eprintln!(\"err\"); std::process::exit(3); }\n"},
};
/* clang-format on */

/* In Python where there is Python, else by the shell that nearly every image has. */

static const char timeout_python[] = "import time\nprint('out', flush=True)\ntime.sleep(60)\n";
static const char timeout_sh[] = "echo out; sleep 60";

/* It holds what it took, so that whoever looks only now and then can see it. */
static const char memory_python[] = "import time\n"
                                    "held = [b'x' * (4 << 20) for i in range(64)]\n"
                                    "time.sleep(5)\n"
                                    "print('held')\n";
static const char memory_sh[] = "(head -c 268435456 /dev/zero && sleep 5) | tail -c 268435456 >/dev/null || "
                                "kill -KILL $$; echo held";

/* Prints a line "open WHAT" for each thing within reach, and at last "looked". Arguments: the API server's host and
 * port. All is tried at once; what has not come after two seconds does not come. */
static const char network_python[] =
    "import os, socket, sys, threading, time\n"
    "found = []\n"
    "def tcp(what, host, port):\n"
    "    try:\n"
    "        socket.create_connection((host, int(port)), 1).close()\n"
    "        found.append('%s (%s:%s)' % (what, host, port))\n"
    "    except Exception:\n"
    "        pass\n"
    "def resolve(name):\n"
    "    try:\n"
    "        socket.getaddrinfo(name, 80)\n"
    "        found.append('a name server (%s)' % name)\n"
    "    except Exception:\n"
    "        pass\n"
    "work = [(tcp, 'the API server', sys.argv[1], sys.argv[2]), (tcp, 'the metadata server', '169.254.169.254', 80),\n"
    "        (tcp, 'the internet', '1.1.1.1', 53), (resolve, 'one.one.one.one'),\n"
    "        (resolve, 'kubernetes.default.svc.cluster.local')]\n"
    "if 'KUBERNETES_SERVICE_HOST' in os.environ:\n"
    "    work.append((tcp, 'the API server', os.environ['KUBERNETES_SERVICE_HOST'],\n"
    "                 os.environ.get('KUBERNETES_SERVICE_PORT', '443')))\n"
    "threads = [threading.Thread(target=w[0], args=w[1:], daemon=True) for w in work]\n"
    "end = time.monotonic() + 2\n"
    "for t in threads:\n"
    "    t.start()\n"
    "for t in threads:\n"
    "    t.join(max(0, end - time.monotonic()))\n"
    "try:\n"
    "    print('kernel', open('/proc/version').read().strip())\n"
    "except Exception:\n"
    "    pass\n"
    "for f in list(found):\n"
    "    print('open', f)\n"
    "print('looked', flush=True)\n"
    "os._exit(0)\n";

static const char network_sh[] =
    "echo \"kernel $(cat /proc/version)\"\n"
    "has() { command -v \"$1\" >/dev/null 2>&1; }\n"
    "if has bash && has timeout; then\n"
    "  try() { timeout 1 bash -c 'exec 3<>\"/dev/tcp/$0/$1\"' \"$1\" \"$2\" >/dev/null 2>&1; }\n"
    "elif has nc; then\n"
    "  try() { nc -w 1 \"$1\" \"$2\" </dev/null >/dev/null 2>&1; }\n"
    "else\n"
    "  echo 'nothing to look with'\n"
    "  exit 0\n"
    "fi\n"
    "tcp() { if try \"$2\" \"$3\"; then echo \"open $1 ($2:$3)\"; fi; }\n"
    "resolve() { if has getent && has timeout && timeout 1 getent hosts \"$1\" >/dev/null 2>&1; then\n"
    "  echo \"open a name server ($1)\"; fi; }\n"
    "tcp 'the API server' \"$1\" \"$2\" &\n"
    "tcp 'the metadata server' 169.254.169.254 80 &\n"
    "tcp 'the internet' 1.1.1.1 53 &\n"
    "if [ -n \"$KUBERNETES_SERVICE_HOST\" ]; then\n"
    "  tcp 'the API server' \"$KUBERNETES_SERVICE_HOST\" \"${KUBERNETES_SERVICE_PORT:-443}\" &\n"
    "fi\n"
    "resolve one.one.one.one &\n"
    "resolve kubernetes.default.svc.cluster.local &\n"
    "wait\n"
    "echo looked\n";

static size_t program_of(const char *language)
{
    size_t i = 0;

    while (i < COUNT_OF(programs) && strcmp(programs[i].language, language) != 0)
        i++;
    return i;
}

/* --- which ones -------------------------------------------------------------------------------------------------- */

static int add_language(const char *name, size_t len, const struct languages *languages, struct probe *ret,
                        struct fault *f)
{
    char known[128] = "";

    *ret = (struct probe){.kind = PROBE_LANGUAGE};
    snprintf(ret->language, sizeof(ret->language), "%.*s", (int)len, name);
    if (program_of(ret->language) == COUNT_OF(programs)) {
        for (size_t i = 0; i < COUNT_OF(programs); i++)
            snprintf(known + strlen(known), sizeof(known) - strlen(known), "%s%s", i ? ", " : "", programs[i].language);
        return fault_set(f, FAULT_INVALID, "there is no probe for the language \"%.*s\", only for %s",
                         (int)(len < 40 ? len : 40), name, known);
    }
    if (!languages_find(languages, ret->language))
        return fault_set(f, FAULT_INVALID, "there is no language \"%s\"", ret->language);
    return 0;
}

int probes_of(const char *list, const struct languages *languages, struct probe ret[PROBES_MAX], size_t *ret_count,
              struct fault *f)
{
    size_t n = 0;

    while (*list) {
        size_t len = strcspn(list, ","), blanks = strspn(list, " ");
        const char *name = list + (blanks < len ? blanks : len);
        size_t name_len = len - (size_t)(name - list);

        while (name_len > 0 && name[name_len - 1] == ' ')
            name_len--;
        if (name_len > 0 && n == PROBE_LANGUAGES_MAX)
            return fault_set(f, FAULT_INVALID, "more than %d languages", PROBE_LANGUAGES_MAX);
        if (name_len > 0 && add_language(name, name_len, languages, &ret[n++], f) < 0)
            return -1;
        list += len + (list[len] == ',');
    }
    for (enum probe_kind kind = PROBE_TIMEOUT; n > 0 && kind <= PROBE_NETWORK; kind++) {
        ret[n] = ret[0];
        ret[n++].kind = kind;
    }
    *ret_count = n;
    return 0;
}

const char *probe_name(const struct probe *p)
{
    static const char *const names[] = {
        [PROBE_TIMEOUT] = "timeout", [PROBE_MEMORY] = "memory", [PROBE_NETWORK] = "network"};

    return p->kind == PROBE_LANGUAGE ? programs[program_of(p->language)].id : names[p->kind];
}

/* --- the request ------------------------------------------------------------------------------------------------- */

/* https://host:port/prefix, the host perhaps in brackets. */
static void split_server(const char *url, char host[256], char port[8])
{
    const char *at = strstr(url, "://"), *colon;
    size_t len;

    at = at ? at + 3 : url;
    if (*at == '[') {
        at++;
        len = strcspn(at, "]");
        colon = at[len] ? at + len + 1 : "";
    } else {
        len = strcspn(at, ":/");
        colon = at + len;
    }
    snprintf(host, 256, "%.*s", (int)(len < 255 ? len : 255), at);
    snprintf(port, 8, "%s", "443");
    if (*colon == ':')
        snprintf(port, 8, "%.*s", (int)strspn(colon + 1, "0123456789"), colon + 1);
}

static void add_text(struct json_object *array, const char *text)
{
    json_object_array_add(array, json_object_new_string(text));
}

/* The code itself, or `sh -c` with its text. */
static void add_program(struct json_object *o, const struct probe *p, const char *python, const char *sh,
                        const char *const args[])
{
    bool is_python = strcmp(p->language, "python") == 0;
    struct json_object *argv;

    json_object_object_add(o, "code", json_object_new_string(is_python ? python : "#\n"));
    if (!is_python) {
        argv = json_object_new_array();
        add_text(argv, "sh");
        add_text(argv, "-c");
        add_text(argv, sh);
        add_text(argv, "sh");
        json_object_object_add(o, "argv", argv);
    }
    argv = json_object_new_array();
    for (; *args; args++)
        add_text(argv, *args);
    json_object_object_add(o, "args", argv);
}

int probe_request(const struct probe *p, const char *id, const char *server, int64_t timeout_s, struct buf *out,
                  struct fault *f)
{
    static const char *const none[] = {NULL};
    struct json_object *o = json_object_new_object();
    char host[256], port[8];
    int r;

    json_object_object_add(o, "id", json_object_new_string(id));
    json_object_object_add(o, "language", json_object_new_string(p->language));
    json_object_object_add(o, "timeout_s", json_object_new_int64(p->kind == PROBE_TIMEOUT ? timeout_s : PATIENT_S));
    switch (p->kind) {
    case PROBE_LANGUAGE:
        json_object_object_add(o, "code", json_object_new_string(programs[program_of(p->language)].code));
        break;
    case PROBE_TIMEOUT:
        add_program(o, p, timeout_python, timeout_sh, none);
        break;
    case PROBE_MEMORY:
        add_program(o, p, memory_python, memory_sh, none);
        json_object_object_add(o, "memory", json_object_new_int64(PROBE_MEMORY_BYTES));
        break;
    case PROBE_NETWORK:
        split_server(server, host, port);
        add_program(o, p, network_python, network_sh, (const char *const[]){host, port, NULL});
        break;
    }
    r = buf_add_string(out, json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN), f);
    json_object_put(o);
    return r;
}
