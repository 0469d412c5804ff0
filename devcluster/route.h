#pragma once
#include <stdbool.h>

#include "devcluster/kinds.h"

/* From a URL's path and an HTTP method to what is meant. */

enum route_sub { SUB_NONE, SUB_LOG, SUB_ATTACH, SUB_STATUS };
enum route_method { METHOD_GET, METHOD_POST, METHOD_PUT, METHOD_PATCH, METHOD_DELETE };

struct route {
    const struct kind *kind;
    char ns[64];    /* "" for all namespaces, or a kind without */
    char name[254]; /* "" for the collection */
    enum route_sub sub;
};

/** Reads a decoded path ("/api/v1/namespaces/default/pods/x/log"). False if it names no objects of a kind we serve:
 *  then it may be one of the other pages. */
bool route_parse(const char *path, struct route *ret);

/** The verb a method means there (`watch`: the query asks for one); -1 if that is not allowed. */
int route_verb(const struct route *route, enum route_method method, bool watch);
