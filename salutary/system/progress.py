"""What a long work shows: a bar on standard error, or a line now and then, and log lines above it."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

SECONDS_BETWEEN_LINES = 10.0
HEIGHTS, WIDTH = "▁▂▃▄▅▆▇█", 40


class Pace:
    """Says whether another line is due: at most one in SECONDS_BETWEEN_LINES, the first so long from now."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def is_due(self) -> bool:
        now = time.monotonic()
        if now - self._last < SECONDS_BETWEEN_LINES:
            return False
        self._last = now
        return True


class LogHandler(logging.Handler):
    """Prints log lines to the standard output of the moment, which puts them above a progress bar."""

    def emit(self, record: logging.LogRecord) -> None:
        print(self.format(record))


def console(stderr: bool = False, soft_wrap: bool = False) -> Console:
    """Prints text as it is: a path may look like markup."""
    return Console(stderr=stderr, soft_wrap=soft_wrap, highlight=False, markup=False)


def progress_bar(shown: bool = True) -> Progress:
    """A bar on standard error, if that is a terminal; what is printed meanwhile comes above it."""
    errors, description = console(stderr=True), TextColumn("{task.description}", markup=False)
    columns = (description, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    disabled = not shown or not errors.is_terminal
    return Progress(*columns, console=errors, transient=True, disable=disabled, redirect_stdout=is_terminal())


def is_terminal() -> bool:
    """Whether the standard output is one; else what is printed belongs there, and above no bar."""
    return console().is_terminal


def sparkline(values: Sequence[float]) -> str:
    """Eight heights from the lowest to the highest value, the last :data:`WIDTH` of them."""
    last = values[-WIDTH:]
    low, high = min(last), max(last)
    step = (high - low) / (len(HEIGHTS) - 1) or 1.0
    return "".join(HEIGHTS[round((value - low) / step)] for value in last)


@contextlib.contextmanager
def counting_bar(
    description: str, total: int | None, shown: bool = True, unit: str = ""
) -> Iterator[Callable[[float], None]]:
    """A :func:`progress_bar` of one task, or lines now and then; gives a function that advances it.

    ``unit``: of what is counted, if it is to say how many there were a second.
    """
    with progress_bar(shown) as bar:
        task, pace, started = bar.add_task(description, total=total), Pace(), time.monotonic()

        def advance(n: float) -> None:
            bar.advance(task, n)
            done = bar.tasks[0].completed
            rate = f"{done / max(time.monotonic() - started, 1e-3):.0f} {unit} a second" if unit else ""
            if rate:
                bar.update(task, description=f"{description}, {rate}")
            if shown and bar.disable and n and pace.is_due():
                of_total = "" if total is None else f" of {total}"
                print(f"{description}: {done:g}{of_total}{rate and f', {rate}'}", flush=True)

        yield advance


@contextlib.contextmanager
def naming_bar(description: str, total: int | None, shown: bool = True) -> Iterator[Callable[[str], None]]:
    """As :func:`counting_bar`, of works that each have a name: call what it gives with that of the next."""
    with progress_bar(shown) as bar:
        task, pace = bar.add_task(description, total=total), Pace()
        begun = 0

        def start(name: str) -> None:
            nonlocal begun
            bar.update(task, completed=begun, description=f"{description}: {name}")
            begun += 1
            if shown and bar.disable and pace.is_due():
                of_total = "" if total is None else f" of {total}"
                print(f"{description}: {name} ({begun}{of_total})", flush=True)

        yield start
