#include "queue/keys.h"

#include <stdio.h>

#include "base/text.h"

bool key_is_name(const char *name)
{
    return text_is_name(name, 64, "._-");
}

bool key_is_id(const char *id)
{
    return text_is_name(id, 128, "._:-");
}

char *key_of(char ret[KEY_MAX], const char *queue, const char *suffix)
{
    snprintf(ret, KEY_MAX, "execq:{%s}:%s", queue, suffix);
    return ret;
}

char *key_for(char ret[KEY_MAX], const char *queue, const char *kind, const char *name)
{
    snprintf(ret, KEY_MAX, "execq:{%s}:%s:%s", queue, kind, name);
    return ret;
}
