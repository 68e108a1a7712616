"""Workers of Ray that are killed at random moments, in each phase of a labelling: the same labels."""

import contextlib
import errno
import os
import random
import re
import signal
import threading
import time
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

pytest.importorskip("ray")

from salutary.labeling.on_ray import cluster as clusters
from salutary.labeling.on_ray.rules import ClusterError

from .ray_tables import STARTED, label, same

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]  # Ray's own

KILLS = 10
PHASES = ("encoding", "scoring", "predicting")
SETTINGS = ("pool=parts", "backend=ray", "predictions=predicted.parquet")
# The folder of a process in Linux; elsewhere workers are not found by it.
PROCESSES = Path("/proc")


def workers():
    """Process ids of the workers of clusters that this process has started, those that work first; without
    Ray's own agents and actors.
    """
    found = []
    for folder in PROCESSES.glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError):
            name = (folder / "cmdline").read_text().split("\0")[0]
            if re.match("ray::(IDLE|[A-Z]\\w+\\(|[a-z])", name) and os.getpid() in above(folder):
                found.append((name.startswith("ray::IDLE"), int(folder.name)))
    return [pid for _, pid in sorted(found)]


def above(folder):
    """Process ids of a process's parents."""
    pid, found = folder.name, []
    while pid != "0":
        pid = (PROCESSES / pid / "stat").read_text().rpartition(")")[2].split()[1]
        found.append(int(pid))
    return found


class Killer:
    """Kills a worker in a phase, at a random moment of the time that it takes undisturbed.

    ``seconds``: of each phase; ``landed``: kills by phase, while it still went on.
    """

    def __init__(self):
        self.seconds, self.landed, self.wanted = {}, Counter(), None
        self.chance, self.blocks = random.Random(0), clusters.Cluster.blocks

    def watched(self, cluster, data, title, *arguments):
        phase = next((each for each in PHASES if each in title), None)
        ended, started = threading.Event(), time.monotonic()
        thread = threading.Thread(target=self.kill, args=(phase, ended))
        if phase and phase == self.wanted:
            thread.start()
        try:
            return self.blocks(cluster, data, title, *arguments)
        finally:
            ended.set()
            if thread.ident:
                thread.join()
            elapsed = time.monotonic() - started
            self.seconds[phase] = min(self.seconds.get(phase, elapsed), elapsed)  # the first starts workers

    def kill(self, phase, ended):
        time.sleep(self.chance.uniform(0, self.seconds[phase]))
        if not ended.is_set() and (found := workers()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(found[0], signal.SIGKILL)
                self.landed[phase] += 1


def predictions():
    return pd.concat([pd.read_parquet(each) for each in sorted(Path("predicted.parquet").glob("*"))])


@pytest.mark.skipif(not (PROCESSES / "self" / "cmdline").exists(), reason="processes are found in /proc")
@pytest.mark.parametrize("encode", ["once", "each_round"])
def test_killed_at_random_moments(encode, pool_tables, monkeypatch):
    import ray

    killer, labelled = Killer(), 0
    monkeypatch.setattr(clusters.Cluster, "blocks", lambda *arguments: killer.watched(*arguments))
    ray.shutdown()
    ray.init(**STARTED, num_cpus=2, object_store_memory=2**27)
    try:
        expected = label("pool=parts")
        same(label(*SETTINGS, f"encode={encode}"), expected)
        predicted = predictions()
        while sum(killer.landed.values()) < KILLS // 2 or len(killer.landed) < len(PHASES):
            killer.wanted = PHASES[labelled % len(PHASES)]
            same(label(*SETTINGS, f"encode={encode}"), expected)
            pd.testing.assert_frame_equal(predictions(), predicted, check_exact=True)
            labelled += 1
            assert labelled < 30, killer.landed
    finally:
        ray.shutdown()
    print(f"\nencode={encode}: {dict(killer.landed)} workers killed in {labelled} labellings; same labels")


def test_a_full_disk_of_a_worker_is_one_line():
    from ray.exceptions import RayTaskError

    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/shared/predicted.parquet/part-0.parquet")
    told = RayTaskError("WriteParts", "Traceback ...", full).as_instanceof_cause()
    with pytest.raises(ClusterError) as error, clusters.one_line():
        raise told
    said = "/shared/predicted.parquet/part-0.parquet cannot be written: No space left on device"
    assert str(error.value) == said
