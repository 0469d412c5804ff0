#pragma once
#include "queue/request.h"
#include "worker/config.h"

/** What the settings let a request ask for, and what it gets where it is silent. */
void limits_of(const struct config *c, struct request_limits *ret);
