"""A batch on a real cluster while everything that execq is made for happens at once."""

import random
import re
import time

from test_chaos import Disturber, batch, check, one_death_from_poison, write_requests
from test_real import part
from world import until

SETTINGS = {"lease": "3s", "slots": 4, "canary": "python"}


def until_controllers_are_calm(world):
    """Kubernetes' own parts wait the longer before they look again the more often they were turned away: up to a minute, until
    nobody has turned them away for two (tools/cache/reflector.go of client-go). An earlier test may have seen to that."""

    def uptime():
        started = re.search(r"^process_start_time_seconds (\S+)", world.cluster.get("/metrics", raw=True), re.MULTILINE)
        return time.time() - float(started.group(1))

    until("the API server has been up for a while", lambda: uptime() > 130, 150)


def test_a_batch_while_workers_die_and_the_api_server_restarts(world):
    """Two workers of which one is killed every few seconds, and the API server away for three seconds, twice: as many results as
    requests, in order, no infra_error, and a minute later nothing is left. With --long there are 200 snippets."""
    n = 200 if world.long else 60
    world.up(workers=0)
    until_controllers_are_calm(world)
    for _ in range(2):
        world.worker(**SETTINGS)
    requests = write_requests(world, n)
    chance = random.Random(7)
    went = []

    def kill_one():
        if one_death_from_poison(world, n):
            return
        victims = [w for w in world.workers if w.alive()]
        chance.choice(victims).kill()
        world.worker(**SETTINGS)

    def restart():
        done = world.redis.call("HGET", world.key("stats"), "finished")
        if len(went) < 2 and int(done or 0) >= n * (len(went) + 1) // 3:
            went.append(int(done))
            part(world, "stop", "kube-apiserver")
            time.sleep(3)
            part(world, "start", "kube-apiserver")

    killer, restarter = Disturber(10, kill_one), Disturber(1, restart)
    try:
        code, out = batch(world, requests, 540)
    finally:
        killer.stop()
        restarter.stop()
    assert len(went) == 2, "the API server was restarted after so many: %s" % went
    print("%d workers were killed, the API server was restarted after %s results" % (world.n_workers - 2, went))
    results = check(world, n, code, out)
    charged = [(r["id"], a) for r in results for a in r["attempts"] if a["status"] == "infra_error"]
    assert not charged, charged
    until(lambda: "nothing is left after a minute: %s" % world.cluster.litter(), lambda: not world.cluster.litter(), 60)
    world.nothing_left()


test_a_batch_while_workers_die_and_the_api_server_restarts.alone = "first"  # while the controllers are calm
