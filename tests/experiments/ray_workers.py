"""The processes that do jobs on a Ray cluster of this machine, and moments to disturb them."""

import threading
import time
from pathlib import Path


def workers_in(folder: Path) -> list[int]:
    """The processes of Ray that do a job there."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            is_one = (process / "cmdline").read_bytes().startswith(b"ray::_job")
            found += [int(process.name)] if is_one and (process / "cwd").readlink() == folder else []
        except OSError:
            pass
    return found


def in_a_round(folder: Path) -> bool:
    """Whether a job has begun to write rounds, and has not ended."""
    return any(file.read_bytes().count(b"\n") > 2 for file in folder.glob("outputs/*.partial/rounds.csv"))


def once(condition, act) -> threading.Thread:
    """``act`` in a thread, when the condition holds, which is asked often."""

    def wait() -> None:
        while not condition():
            time.sleep(0.002)
        act()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread
