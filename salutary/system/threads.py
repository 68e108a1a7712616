"""Blocks of rows side by side, each in a thread of its own: what ``device.threads=auto`` means.

A block is as much as fits into a cache and takes milliseconds; what is smaller stays in the one thread that
asks, and pays nothing. Each block is computed as it would be by itself, and results come in order: they are
the same bytes for any number of threads. A thread that the machine delays holds up one block; the threads of
a linear algebra library wait for each other at every product, and on a busy machine that is slow.
"""

from __future__ import annotations

import functools
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_side_by_side = 1
_worker = threading.local()  # says of a thread whether it is one of the pool's


def free_cores() -> int:
    """Cores that this process may use: those it is bound to, within OMP_NUM_THREADS, if that is set."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(cores, int(limit))) if limit.isdigit() else cores


def side_by_side() -> int:
    """How many blocks are computed at once; 1 until a device says otherwise."""
    return _side_by_side


def set_side_by_side(n: int) -> None:
    global _side_by_side
    _side_by_side = n


def in_order(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """``function`` of each item, in their order; of so many at once as :func:`side_by_side` says.

    Called within ``function``, it works in the same thread: the others may all be waiting for this one. At
    most twice as many results as threads wait to be taken.
    """
    items = list(items)
    if _side_by_side == 1 or len(items) < 2 or getattr(_worker, "is_one", False):
        yield from map(function, items)
        return
    pool = _pool(_side_by_side)
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            if len(waiting) == 2 * _side_by_side:
                yield waiting.popleft().result()
            waiting.append(pool.submit(function, item))
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


@functools.cache
def _pool(n: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(n, "salutary", lambda: setattr(_worker, "is_one", True))


if hasattr(os, "register_at_fork"):  # a forked process has none of its parent's threads
    os.register_at_fork(after_in_child=_pool.cache_clear)
