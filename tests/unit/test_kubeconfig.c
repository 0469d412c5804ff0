#include "check.h"

#include <fcntl.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/field.h"
#include "base/mem.h"
#include "k8s/incluster.h"
#include "k8s/kubeconfig.h"
#include "k8s/url.h"
#include "k8s/yaml.h"

/* "Cg==" is a newline in base64: data that decodes. */
#define HEAD         "current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\n"
#define CLUSTER      "clusters: [{name: k, cluster: {server: 'https://h:6443'}}]\n"
#define USER(body)   HEAD CLUSTER "users: [{name: u, user: {" body "}}]\n"
#define SERVER(body) HEAD "clusters: [{name: k, cluster: {" body "}}]\nusers: [{name: u, user: {}}]\n"

static int parse(const char *text, struct kubeconfig **ret, struct fault *f)
{
    const char *file = "/etc/kube/conf", *texts = text;

    return kubeconfig_parse(&file, &texts, 1, NULL, ret, f);
}

/* What is wrong, and the words that the fault must have. */
static const struct {
    const char *text, *says;
} errors[] = {
    /* clang-format off */
    {"a: [", "/etc/kube/conf: line 2: not YAML"},
    {"just text", "is not a kubeconfig"},
    {"", "no current-context is set"},
    {"clusters: 7", "field \"clusters\" must be of type array"},
    {"clusters: [7]", "clusters: an element is not a mapping"},
    {"clusters: [{cluster: {}}]", "clusters: field \"name\" is missing"},
    {"users: [{name: u, user: 3}]", "users: \"u\": field \"user\" must be of type object"},
    {"users: [{name: u}, {name: u}]", "users: the name \"u\" stands there twice"},
    {CLUSTER, "no current-context is set"},
    {"current-context: x\n" CLUSTER, "there is no context \"x\""},
    {"current-context: c\ncontexts: [{name: c, context: {user: u}}]", "context \"c\" names no cluster"},
    {HEAD, "context \"c\": there is no cluster \"k\""},
    {HEAD CLUSTER, "context \"c\": there is no user \"u\""},
    {"current-context: c\ncontexts: [{name: c, context: {cluster: [k]}}]", "context \"c\": field \"cluster\" must be of type string"},
    {SERVER("insecure-skip-tls-verify: true"), "cluster \"k\": field \"server\" is missing"},
    {SERVER("server: 'ftp://h'"), "neither https nor http"},
    {SERVER("server: 'https://'"), "cluster \"k\": field \"server\""},
    {SERVER("server: 'https://a:b@h'"), "an address with a user name"},
    {SERVER("server: 'https://h', insecure-skip-tls-verify: 'true'"), "field \"insecure-skip-tls-verify\" must be of type boolean"},
    {SERVER("server: 'https://h', certificate-authority: ca, insecure-skip-tls-verify: true"), "exclude each other"},
    {SERVER("server: 'https://h', certificate-authority-data: '%%'"), "field \"certificate-authority-data\": not base64"},
    {SERVER("server: 'https://h', certificate-authority-data: AAAA"), "does not hold PEM"},
    {SERVER("server: 'https://h', proxy-url: 'gopher://p'"), "field \"proxy-url\""},
    {USER("token: 1234"), "user \"u\": field \"token\" must be of type string, not int"},
    {USER("token: \"a\\nb\""), "field \"token\" holds white space"},
    {USER("token: t, username: n"), "exclude each other"},
    {USER("tokenFile: t, password: n"), "exclude each other"},
    {USER("client-certificate: c"), "client-certificate needs client-key"},
    {USER("client-certificate-data: Cg==, client-key: ''"), "client-certificate needs client-key"},
    {USER("client-key: c"), "client-key needs client-certificate"},
    {USER("auth-provider: {name: gcp}"), "auth-provider is not supported"},
    {USER("exec: {command: a}, auth-provider: {}"), "auth-provider is not supported"},
    {USER("as: root, token: t"), "field \"as\": impersonation is not supported"},
    {USER("as-groups: [x], token: t"), "impersonation is not supported"},
    {USER("exec: {command: a}"), "exec: fields \"apiVersion\" and \"command\" are needed"},
    {USER("exec: {apiVersion: client.authentication.k8s.io/v1beta1}"), "are needed"},
    {USER("exec: {command: a, apiVersion: client.authentication.k8s.io/v1alpha1}"), "is neither client.authentication.k8s.io/v1"},
    {USER("exec: {command: a, apiVersion: client.authentication.k8s.io/v1}"), "field \"interactiveMode\" is missing"},
    {USER("exec: {command: a, apiVersion: client.authentication.k8s.io/v1, interactiveMode: Sometimes}"), "must be Never, IfAvailable or Always"},
    {USER("exec: {command: a, apiVersion: client.authentication.k8s.io/v1beta1, args: [1]}"), "field \"args\": element [0] must be a string"},
    {USER("exec: {command: a, apiVersion: client.authentication.k8s.io/v1beta1, env: [a]}"), "field \"env\": element [0] must be a mapping"},
    {USER("exec: {command: a, apiVersion: client.authentication.k8s.io/v1beta1, env: [{name: 'A=B'}]}"), "is not the name of a variable"},
    /* clang-format on */
};

static void test_errors(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(errors); i++) {
        struct kubeconfig *c = NULL;
        struct fault f = FAULT_INIT;

        if (parse(errors[i].text, &c, &f) == 0)
            fail_msg("accepted: %s", errors[i].text);
        assert_null(c);
        assert_int_equal(f.kind, FAULT_INVALID);
        if (!strstr(f.text, errors[i].says))
            fail_msg("%s\nsays: %s\nnot: %s", errors[i].text, f.text, errors[i].says);
    }
}

static struct kubeconfig *good(const char *text)
{
    struct kubeconfig *c = NULL;
    struct fault f = FAULT_INIT;

    if (parse(text, &c, &f) < 0)
        fail_msg("%s: %s", text, f.text);
    return c;
}

static void same(const char *a, const char *b)
{
    if (!a != !b || (a && strcmp(a, b) != 0))
        fail_msg("\"%s\" is not \"%s\"", a ? a : "NULL", b ? b : "NULL");
}

static void test_everything_there_is(void **state)
{
    struct kubeconfig *c = good("apiVersion: v1\nkind: Config\npreferences: {}\n" HEAD "clusters:\n"
                                "- name: k\n"
                                "  cluster:\n"
                                "    server: https://[::1]:6443/a/b/?q#f\n"
                                "    tls-server-name: kubernetes\n"
                                "    proxy-url: socks5://p:1080\n"
                                "    certificate-authority: rel/ca.pem\n"
                                "    disable-compression: true\n"
                                "    extensions:\n"
                                "    - {name: other, extension: 1}\n"
                                "    - {name: client.authentication.k8s.io/exec, extension: {audience: x, n: 3}}\n"
                                "users:\n"
                                "- name: u\n"
                                "  user:\n"
                                "    client-certificate: /abs/c.pem\n"
                                "    client-key: ../k.pem\n"
                                "    client-key-data: Cg==\n"
                                "    tokenFile: tok\n"
                                "    token: unused\n"
                                "    exec:\n"
                                "      apiVersion: client.authentication.k8s.io/v1\n"
                                "      command: ./plugin\n"
                                "      args: [-a, '']\n"
                                "      env: [{name: A, value: b}, {name: C, value: ''}]\n"
                                "      provideClusterInfo: true\n"
                                "      interactiveMode: Always\n"
                                "      installHint: get it\n");

    (void)state;
    same(c->server, "https://[::1]:6443/a/b");
    same(c->namespace_, "default");
    same(c->context, "c");
    same(c->tls_server_name, "kubernetes");
    same(c->proxy_url, "socks5://p:1080");
    same(c->ca_file, "/etc/kube/rel/ca.pem");
    same(c->cert_file, "/abs/c.pem");
    same(c->key_file, NULL);
    same(c->key_data, "\n");
    same(c->token_file, "/etc/kube/tok");
    same(c->exec->api_version, "client.authentication.k8s.io/v1");
    same(c->exec->command, "/etc/kube/./plugin");
    same(c->exec->args[0], "-a");
    same(c->exec->args[1], "");
    assert_null(c->exec->args[2]);
    same(c->exec->env[0], "A=b");
    same(c->exec->env[1], "C=");
    assert_null(c->exec->env[2]);
    assert_true(c->exec->provide_cluster_info && c->exec->always_interactive);
    same(c->exec->install_hint, "get it");
    same(json_object_to_json_string_ext(c->exec->cluster_config, JSON_C_TO_STRING_PLAIN),
         "{\"audience\":\"x\",\"n\":3}");
    kubeconfig_free(c);
}

static void test_small_ones(void **state)
{
    struct kubeconfig *c;

    (void)state;
    c = good(
        "{\"current-context\":\"c\",\"contexts\":[{\"name\":\"c\",\"context\":{\"cluster\":\"k\",\"namespace\":\"n\"}}],"
        "\"clusters\":[{\"name\":\"k\",\"cluster\":{\"server\":\"https://h/\"}}]}"); /* JSON is YAML; nobody */
    same(c->server, "https://h");
    same(c->namespace_, "n");
    same(c->token, NULL);
    kubeconfig_free(c);
    c = good(SERVER("server: 'h:8080'"));
    same(c->server, "http://h:8080");
    kubeconfig_free(c);
    c = good(SERVER("server: 'h:6443', insecure-skip-tls-verify: true"));
    same(c->server, "https://h:6443");
    assert_true(c->insecure_skip_tls_verify);
    kubeconfig_free(c);
    c = good(SERVER("server: 'https://h', certificate-authority: f, certificate-authority-data: Cg=="));
    same(c->ca_file, NULL);
    same(c->ca_data, "\n");
    kubeconfig_free(c);
    c = good(USER("username: a, password: b, token: ''"));
    same(c->username, "a");
    same(c->password, "b");
    same(c->token, NULL);
    kubeconfig_free(c);
    c = good(USER("exec: {command: plugin, apiVersion: client.authentication.k8s.io/v1beta1}"));
    same(c->exec->command, "plugin"); /* looked up in PATH */
    assert_false(c->exec->always_interactive);
    assert_null(c->exec->cluster_config);
    kubeconfig_free(c);
}

/* kubectl's rules: the first file with an entry wins, with all of it; the first current-context wins. */
static void test_merge(void **state)
{
    const char *const files[] = {"/a/one", "/b/two"};
    const char *const texts[] = {
        "contexts: [{name: c, context: {cluster: k, user: u}}]\n"
        "clusters: [{name: k, cluster: {server: 'https://one', certificate-authority: ca}}]\n",
        "current-context: c\n"
        "contexts: [{name: c, context: {cluster: k2, user: u, namespace: n}}, {name: d, context: {cluster: k2}}]\n"
        "clusters: [{name: k, cluster: {server: 'https://two', tls-server-name: x}},"
        " {name: k2, cluster: {server: 'https://k2'}}]\n"
        "users: [{name: u, user: {tokenFile: t}}]\n",
    };
    struct fault f = FAULT_INIT;
    struct kubeconfig *c;

    (void)state;
    assert_int_equal(kubeconfig_parse(files, texts, 2, NULL, &c, &f), 0);
    same(c->server, "https://one");
    same(c->tls_server_name, NULL); /* no field comes from the second */
    same(c->ca_file, "/a/ca");
    same(c->token_file, "/b/t"); /* relative to its own file */
    same(c->namespace_, "default");
    kubeconfig_free(c);
    assert_int_equal(kubeconfig_parse(files, texts, 2, "d", &c, &f), 0);
    same(c->server, "https://k2");
    same(c->context, "d");
    kubeconfig_free(c);
}

struct folder {
    char path[64];
};

static void write_file(const struct folder *d, const char *name, const char *text)
{
    _cleanup_free_ char *path = mem_format("%s/%s", d->path, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static int make_folder(void **state)
{
    static struct folder d;

    snprintf(d.path, sizeof(d.path), "/tmp/test-kubeconfig-XXXXXX");
    *state = &d;
    return mkdtemp(d.path) ? 0 : -1;
}

static int remove_folder(void **state)
{
    const struct folder *d = *state;
    _cleanup_free_ char *command = mem_format("rm -rf %s", d->path);

    return system(command);
}

static void no_environment(void)
{
    unsetenv("KUBECONFIG");
    unsetenv("KUBERNETES_SERVICE_HOST");
    unsetenv("KUBERNETES_SERVICE_PORT");
}

static void test_where_it_is_looked_for(void **state)
{
    const struct folder *d = *state;
    _cleanup_free_ char *one = mem_format("%s/one", d->path), *list = NULL, *kube = mem_format("%s/.kube", d->path);
    struct fault f = FAULT_INIT;
    struct kubeconfig *c;

    no_environment();
    setenv("HOME", d->path, 1);
    assert_int_equal(kubeconfig_load(NULL, NULL, &c, &f), -1);
    assert_non_null(strstr(f.text, "no cluster to talk to"));
    assert_int_equal(kubeconfig_load(one, NULL, &c, &f), -1);
    assert_non_null(strstr(f.text, "No such file"));

    write_file(d, "one", USER("token: one"));
    assert_int_equal(mkdir(kube, 0700), 0);
    write_file(d, ".kube/config", USER("token: home"));
    assert_int_equal(kubeconfig_load(one, NULL, &c, &f), 0);
    same(c->token, "one");
    kubeconfig_free(c);
    assert_int_equal(kubeconfig_load(NULL, NULL, &c, &f), 0);
    same(c->token, "home");
    kubeconfig_free(c);

    list = mem_format(":/nonexistent:%s:%s", one, one);
    setenv("KUBECONFIG", list, 1);
    assert_int_equal(kubeconfig_load(NULL, NULL, &c, &f), 0);
    same(c->token, "one");
    kubeconfig_free(c);
    setenv("KUBECONFIG", "/nonexistent", 1);
    assert_int_equal(kubeconfig_load(NULL, NULL, &c, &f), -1);
    assert_non_null(strstr(f.text, "none of the files of $KUBECONFIG exists"));
    no_environment();
}

static void test_in_cluster(void **state)
{
    const struct folder *d = *state;
    struct fault f = FAULT_INIT;
    struct kubeconfig *c;

    no_environment();
    assert_false(incluster_is());
    setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
    assert_false(incluster_is());
    setenv("KUBERNETES_SERVICE_PORT", "443", 1);
    assert_true(incluster_is());
    assert_int_equal(incluster_load(d->path, &c, &f), -1);
    assert_non_null(strstr(f.text, "in-cluster token"));
    write_file(d, "token", " \n");
    assert_int_equal(incluster_load(d->path, &c, &f), -1);
    assert_non_null(strstr(f.text, "is empty"));
    write_file(d, "token", "t\n");
    assert_int_equal(incluster_load(d->path, &c, &f), 0);
    same(c->server, "https://[fd00::1]:443");
    same(c->namespace_, "default");
    same(c->ca_file, NULL); /* the system's roots */
    assert_non_null(strstr(c->token_file, "/token"));
    kubeconfig_free(c);
    write_file(d, "ca.crt", "x");
    write_file(d, "namespace", "ns\n");
    setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1", 1);
    assert_int_equal(incluster_load(d->path, &c, &f), 0);
    same(c->server, "https://10.0.0.1:443");
    same(c->namespace_, "ns");
    assert_non_null(c->ca_file);
    kubeconfig_free(c);
    no_environment();
}

static void test_yaml(void **state)
{
    static const struct {
        const char *text, *json; /* or, after '!', the words of the fault */
    } yaml[] = {
        {"", "null"},
        {"a: {b: [1, -2, 0, 1.5, 1e3, x]}", "{\"a\":{\"b\":[1,-2,0,1.5,1000.0,\"x\"]}}"},
        {"[null, ~, '', '~', true, FALSE, 'true', yes]", "[null,null,\"\",\"~\",true,false,\"true\",\"yes\"]"},
        {"[010, 0x10, 1_000, 12:30, ., e5, -, .inf, 99999999999999999999]",
         "[\"010\",\"0x10\",\"1_000\",\"12:30\",\".\",\"e5\",\"-\",\".inf\",\"99999999999999999999\"]"},
        {"[!!str 1, ! 2]", "[\"1\",\"2\"]"},
        {"a: &x {b: 1}\nc: *x", "{\"a\":{\"b\":1},\"c\":{\"b\":1}}"},
        {"a: |\n  x\n  y\n", "{\"a\":\"x\\ny\\n\"}"},
        {"a: &x [*x]", "!an alias inside its own anchor"},
        {"a: *x", "!an alias without its anchor"},
        {"a: 1\na: 2", "!line 2: the same name twice"},
        {"a: &x {}\nb: {<<: *x}", "!merge keys"},
        {"--- 1\n--- 2", "!a second document"},
        {"? [a]\n: b", "!a name must be"},
        {"!!binary aGk=", "!a tag"},
        {"a: 'x", "!not YAML"},
        {"a: \x80", "!not YAML"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(yaml); i++) {
        struct json_object *v = NULL;
        struct fault f = FAULT_INIT;
        const char *want = yaml[i].json;

        if (yaml_parse(yaml[i].text, strlen(yaml[i].text), &v, &f) < 0) {
            if (*want != '!' || !strstr(f.text, want + 1))
                fail_msg("%s: %s", yaml[i].text, f.text);
        } else {
            same(v ? json_object_to_json_string_ext(v, JSON_C_TO_STRING_PLAIN) : "null", want);
        }
        json_object_put(v);
    }
}

static void test_yaml_ceilings(void **state)
{
    _cleanup_(buf_release)
    struct buf b = BUF_INIT(4 << 20);
    struct json_object *v = NULL;
    struct fault f = FAULT_INIT;

    (void)state;
    for (int i = 0; i < 40; i++)
        buf_add_string(&b, "[", &f);
    assert_int_equal(yaml_parse(b.data, b.len, &v, &f), -1);
    assert_non_null(strstr(f.text, "nested too deeply"));

    buf_clear(&b);
    buf_add_string(&b, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n", &f);
    for (int i = 1; i < 9; i++) { /* ten times as much a line */
        buf_addf(&b, &f, "a%d: &a%d [", i, i);
        for (int n = 0; n < 10; n++)
            buf_addf(&b, &f, "*a%d,", i - 1);
        buf_add_string(&b, "]\n", &f);
    }
    assert_int_equal(yaml_parse(b.data, b.len, &v, &f), -1);
    assert_non_null(strstr(f.text, "too many values"));

    buf_clear(&b);
    for (int i = 0; i < 1001; i++)
        buf_addf(&b, &f, "- &a%d x\n", i);
    assert_int_equal(yaml_parse(b.data, b.len, &v, &f), -1);
    assert_non_null(strstr(f.text, "too many anchors"));

    buf_clear(&b);
    while (b.len <= YAML_TEXT_MAX)
        buf_add_string(&b, "# a comment\n", &f);
    assert_int_equal(yaml_parse(b.data, b.len, &v, &f), -1);
    assert_int_equal(f.kind, FAULT_TOO_BIG);
}

static void test_url(void **state)
{
    _cleanup_(buf_release)
    struct buf b = BUF_INIT(1000);
    struct fault f = FAULT_INIT;
    char *host;
    int port;

    (void)state;
    assert_int_equal(url_host("https://[fd00::1]:6443/p", &host, &port, &f), 0);
    same(host, "fd00::1");
    assert_int_equal(port, 6443);
    free(host);
    assert_int_equal(url_host("http://h", &host, &port, &f), 0);
    same(host, "h");
    assert_int_equal(port, 80);
    free(host);
    buf_add_string(&b, "/x/", &f);
    url_add_escaped(&b, "a/b c%\xc3\xa4~-._", &f);
    url_add_query(&b, "l", "app=x,y in (a)&", &f);
    url_add_number(&b, "n", -5, &f);
    same(buf_str(&b), "/x/a%2Fb%20c%25%C3%A4~-._?l=app%3Dx%2Cy%20in%20%28a%29%26&n=-5");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_everything_there_is),
        cmocka_unit_test(test_small_ones),
        cmocka_unit_test(test_merge),
        cmocka_unit_test_setup_teardown(test_where_it_is_looked_for, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_in_cluster, make_folder, remove_folder),
        cmocka_unit_test(test_yaml),
        cmocka_unit_test(test_yaml_ceilings),
        cmocka_unit_test(test_url),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
