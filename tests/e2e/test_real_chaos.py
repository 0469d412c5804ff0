"""A batch on a real cluster while everything that execq is made for happens at once."""

import random
import time

from test_chaos import Disturber, batch, check, write_requests
from test_real import part
from world import until

SNIPPETS = 200
SETTINGS = {"lease": "3s", "slots": 8}


def test_a_batch_while_workers_die_and_the_api_server_restarts(world):
    """200 snippets, two workers of which one is killed every few seconds, and the API server away for three seconds, twice: 200
    results, in order, no infra_error, and a minute later nothing is left."""
    world.up(workers=2, canary="python", **SETTINGS)  # those that come later have none: killed over it, they would leave its Jobs
    requests = write_requests(world, SNIPPETS)
    chance = random.Random(7)
    went = []

    def kill_one():
        victims = [w for w in world.workers if w.alive()]
        chance.choice(victims).kill()
        world.worker(**SETTINGS)

    def restart():
        done = world.redis.call("HGET", world.key("stats"), "finished")
        if len(went) < 2 and int(done or 0) >= SNIPPETS * (len(went) + 1) // 3:
            went.append(int(done))
            part(world, "stop", "kube-apiserver")
            time.sleep(3)
            part(world, "start", "kube-apiserver")

    killer, restarter = Disturber(8, kill_one), Disturber(1, restart)
    try:
        code, out = batch(world, requests, 540)
    finally:
        killer.stop()
        restarter.stop()
    assert len(went) == 2, "the API server was restarted after so many: %s" % went
    print("%d workers were killed, the API server was restarted after %s results" % (killer.times, went))
    results = check(world, SNIPPETS, code, out)
    charged = [(r["id"], a) for r in results for a in r["attempts"] if a["status"] == "infra_error"]
    assert not charged, charged
    until(lambda: "nothing is left after a minute: %s" % world.cluster.litter(), lambda: not world.cluster.litter(), 60)
    world.nothing_left()


test_a_batch_while_workers_die_and_the_api_server_restarts.alone = True
