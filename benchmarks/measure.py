"""What the benchmarks share: interleaved times, memory, tables."""

from __future__ import annotations

import csv
import importlib.metadata
import platform
import statistics
import time
from collections.abc import Callable, Iterable

import torch
from threadpoolctl import threadpool_limits


def use_threads(n: int) -> None:
    torch.set_num_threads(n)
    threadpool_limits(n)


def interleaved(calls: dict[str, Callable], repeats: int, device: str = "cpu") -> dict[str, float]:
    """Median seconds of each call, after one to warm up; every round has a turn of each.

    A turn is as many calls as fit into 20 ms, so that a short call is not measured with the caches that
    a long one has left behind.
    """
    seconds = {name: [] for name in calls}
    turns = {}
    for name, call in calls.items():
        call()
        turns[name] = max(1, int(0.02 / max(once(call, device), 1e-6)))
    for _ in range(repeats):
        for name, call in calls.items():
            seconds[name].append(once(call, device, turns[name]))
    return {name: statistics.median(times) for name, times in seconds.items()}


def once(call: Callable, device: str = "cpu", times: int = 1) -> float:
    """Seconds of one call, the mean of several; on CUDA by the device's own clock, between two events."""
    if device == "cpu":
        started = time.perf_counter()
        for _ in range(times):
            call()
        return (time.perf_counter() - started) / times
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    for _ in range(times):
        call()
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end) / 1e3 / times


def said(part: str, row: dict) -> None:
    """A row, in one line as soon as it is there: what is stopped later has measured it all the same."""
    cells = (
        f"{key}: {value:.3g}" if isinstance(value, float) else f"{key}: {value}" for key, value in row.items()
    )
    print(f"{part} | {' | '.join(cells)}", flush=True)


def print_table(rows: list[dict]) -> None:
    """A Markdown table; columns are the keys in order of appearance."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    print("| " + " | ".join(columns) + " |\n|" + "---|" * len(columns))
    for row in rows:
        cells = [f"{v:.3g}" if isinstance(v := row.get(c, ""), float) else str(v) for c in columns]
        print("| " + " | ".join(cells) + " |")


def write_csv(rows: list[dict], path: str) -> None:
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


def versions(packages: Iterable[str]) -> str:
    named = (f"{name} {importlib.metadata.version(name)}" for name in packages)
    return ", ".join([f"Python {platform.python_version()}", *named])
