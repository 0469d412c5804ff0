#include <json-c/json.h>
#include <stdlib.h>

#include "devcluster/store.h"
#include "devcluster/tree.h"
#include "unit/check.h"

/* What a listener has heard, one letter a change. */
static char heard[64];

static void on_change(void *arg, const struct change *change, struct object *o)
{
    size_t n = strlen(heard);

    assert_ptr_equal(arg, heard);
    assert_true(change->version == o->version);
    assert_true((change->type == CHANGE_ADDED) == (change->old == NULL));
    heard[n] = "amd"[change->type];
    heard[n + 1] = '\0';
}

static struct store *new_store(size_t changes, size_t bytes)
{
    struct store *s = store_new(100, changes, bytes);

    heard[0] = '\0';
    store_listen(s, on_change, heard);
    return s;
}

static struct object *add(struct store *s, const struct kind *kind, const char *name, const char *owner)
{
    struct json_object *json = tree_new(), *ref;
    char uid[64];

    snprintf(uid, sizeof(uid), "uid-%s", name);
    tree_set_string(tree_make(json, "metadata"), "name", name);
    tree_set_string(tree_make(json, "metadata"), "namespace", "ns");
    tree_set_string(tree_make(json, "metadata"), "uid", uid);
    if (owner) {
        ref = tree_new();
        tree_set_string(ref, "uid", owner);
        tree_set(tree_make(json, "metadata"), "ownerReferences", tree_list(ref, NULL));
    }
    return store_add(s, kind, json);
}

static void touch(struct store *s, struct object *o, const char *value)
{
    struct json_object *draft = store_draft(o);

    tree_set_string(tree_make(draft, "data"), "k", value);
    store_set(s, o, draft);
}

static void test_life(void **state)
{
    struct store *s = new_store(10, 100000);
    struct object *o = add(s, kind_configmap, "a", NULL);
    struct json_object *before = json_object_get(o->json);

    (void)state;
    assert_ptr_equal(store_find(s, kind_configmap, "ns", "a"), o);
    assert_ptr_equal(store_find_uid(s, "uid-a"), o);
    assert_null(store_find(s, kind_configmap, "other", "a"));
    assert_null(store_find(s, kind_pod, "ns", "a"));
    assert_string_equal(tree_string(o->json, "metadata.resourceVersion"), "101");
    touch(s, o, "new");
    assert_string_equal(tree_string(o->json, "metadata.resourceVersion"), "102");
    assert_null(tree_at(before, "data")); /* what somebody holds does not change */
    assert_non_null(strstr(o->text, "\"k\":\"new\""));
    assert_int_equal(strlen(o->text), o->len);
    assert_int_equal(store_count(s, kind_configmap), 1);
    store_remove(s, o);
    assert_null(store_find_uid(s, "uid-a"));
    assert_int_equal(store_count(s, kind_configmap), 0);
    assert_int_equal(store_version(s), 103);
    assert_string_equal(heard, "amd");
    json_object_put(before);
    store_free(s);
}

static void test_history(void **state)
{
    struct store *s = new_store(4, 100000);
    struct object *o = add(s, kind_configmap, "a", NULL);
    const struct change *c;

    (void)state;
    assert_true(store_knows(s, 100) && store_knows(s, 101) && !store_knows(s, 99));
    for (int i = 0; i < 5; i++)
        touch(s, o, "x");
    store_remove(s, o);
    assert_int_equal(store_version(s), 107);
    assert_false(store_knows(s, 102));
    assert_true(store_knows(s, 103));
    assert_null(store_next_change(s, 102));
    c = store_next_change(s, 103);
    assert_true(c->version == 104 && c->type == CHANGE_MODIFIED);
    c = store_next_change(s, 106);
    assert_true(c->version == 107 && c->type == CHANGE_DELETED);
    assert_non_null(strstr(c->text, "\"resourceVersion\":\"107\""));
    assert_null(store_next_change(s, 107));
    store_compact(s);
    assert_true(store_knows(s, 107) && !store_knows(s, 106));
    store_free(s);
}

static void test_history_is_bounded_in_bytes(void **state)
{
    struct store *s = new_store(1000, 5000);
    struct object *o = add(s, kind_configmap, "a", NULL);
    char value[1001];

    (void)state;
    memset(value, 'x', 1000);
    value[1000] = '\0';
    for (int i = 0; i < 20; i++)
        touch(s, o, value);
    assert_false(store_knows(s, store_version(s) - 5));
    assert_true(store_knows(s, store_version(s) - 3));
    store_free(s);
}

static size_t dependents(struct store *s, const char *uid)
{
    struct owner_links *links = store_dependents(s, uid);
    struct owner_link *link;
    size_t n = 0;

    if (links)
        TAILQ_FOREACH (link, links, entry)
            n++;
    return n;
}

static void test_owners(void **state)
{
    struct store *s = new_store(10, 100000);
    struct object *a = add(s, kind_configmap, "a", "uid-job"), *b = add(s, kind_pod, "b", "uid-job");
    struct json_object *draft;

    (void)state;
    assert_int_equal(dependents(s, "uid-job"), 2);
    assert_int_equal(dependents(s, "uid-a"), 0);
    touch(s, a, "x"); /* still its */
    assert_int_equal(dependents(s, "uid-job"), 2);
    draft = store_draft(a);
    json_object_object_del(tree_at(draft, "metadata"), "ownerReferences");
    store_set(s, a, draft);
    assert_int_equal(dependents(s, "uid-job"), 1);
    store_remove(s, b);
    assert_null(store_dependents(s, "uid-job"));
    store_free(s);
}

static int frees;

static void count_free(void *data)
{
    frees++;
    free(data);
}

static void test_data_goes_with_the_object(void **state)
{
    struct store *s = new_store(10, 100000);
    struct object *a = add(s, kind_job, "a", NULL), *b = add(s, kind_job, "b", NULL);

    (void)state;
    a->data = malloc(1);
    b->data = malloc(1);
    a->data_free = b->data_free = count_free;
    store_remove(s, a);
    assert_int_equal(frees, 1);
    store_free(s);
    assert_int_equal(frees, 2);
}

static void test_tree(void **state)
{
    struct json_object *o = json_tokener_parse("{\"a\":{\"b\":{\"n\":5,\"s\":\"t\",\"f\":true}},\"l\":[1]}");
    char text[TREE_UUID];

    (void)state;
    assert_string_equal(tree_string(o, "a.b.s"), "t");
    assert_null(tree_string(o, "a.b.n")); /* no coercion */
    assert_null(tree_string(o, "a.x.s"));
    assert_null(tree_string(o, "l.s"));
    assert_int_equal(tree_int(o, "a.b.n", -1), 5);
    assert_int_equal(tree_int(o, "a.b.s", -1), -1);
    assert_true(tree_bool(o, "a.b.f"));
    tree_set_string(tree_make(o, "x.y"), "z", "1");
    assert_string_equal(tree_string(o, "x.y.z"), "1");
    json_object_array_add(tree_make_array(o, "x.l"), tree_text("e"));
    assert_int_equal(json_object_array_length(tree_at(o, "x.l")), 1);
    tree_default_string(o, "l", "no");
    assert_true(json_object_is_type(tree_at(o, "l"), json_type_array));
    tree_time(1795255438716, text);
    assert_string_equal(text, "2026-11-21T10:03:58Z");
    assert_true(tree_time_parse(text) == 1795255438000 && tree_time_parse("yesterday") == -1 &&
                tree_time_parse(NULL) == -1);
    tree_uuid(text);
    assert_true(strlen(text) == 36 && text[14] == '4' && text[8] == '-');
    tree_suffix(text, 5);
    assert_int_equal(strspn(text, "bcdfghjklmnpqrstvwxz2456789"), 5);
    json_object_put(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_history),
        cmocka_unit_test(test_history_is_bounded_in_bytes),
        cmocka_unit_test(test_owners),
        cmocka_unit_test(test_data_goes_with_the_object),
        cmocka_unit_test(test_tree),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
