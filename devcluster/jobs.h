#pragma once

/* The Job controller: one pod for each Job, its end becomes the Job's, and finished Jobs go after their TTL. */

struct cluster;
struct jobs;

struct jobs *jobs_new(struct cluster *c);
void jobs_free(struct jobs *j);
