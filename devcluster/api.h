#pragma once

/* The verbs on objects, over HTTP. */

struct call;

/** Answers a call whose route names objects and whose verb is known. */
void api_handle(struct call *call);
