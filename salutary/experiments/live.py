"""What a sweep shows on a terminal: how far it is, the jobs that run, and the last ones that failed."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

# Failures that are shown, and columns of the bar.
FAILURES, BAR = 3, 24


@dataclass
class Running:
    """A job that runs: which, what it has just done, and since when."""

    run: str
    text: str
    since: float


class Board:
    """The state of a sweep, as rich renders it, at most as high as the screen.

    ``total``: of jobs, None if it is not known. ``clock``: seconds. Its methods may be called in any thread.
    """

    def __init__(self, total: int | None, clock: Callable[[], float] = time.monotonic):
        self.total = total
        self.counts: Counter[str] = Counter()
        self._clock = clock
        self._running: dict[int, Running] = {}
        self._failed: list[tuple[str, str]] = []
        self._first: float | None = None  # when the first job that was not skipped began
        self._lock = threading.Lock()

    def began(self, job: int, run: str, text: str) -> None:
        """A job runs, and has just done ``text``."""
        with self._lock:
            now = self._clock()
            self._first = now if self._first is None else self._first
            known = self._running.get(job)
            self._running[job] = Running(
                run, text or (known.text if known else ""), known.since if known else now
            )

    def ended(self, job: int, run: str, state: str, text: str) -> None:
        """A job is finished, skipped or failed."""
        with self._lock:
            self._running.pop(job, None)
            self.counts[state] += 1
            if state == "failed":
                self._failed.append((run, text))

    def left(self) -> str:
        """How long the rest will take if it goes on as fast; nothing is said before two jobs have ended.

        Jobs that were finished before took no time, and count as none.
        """
        if self.total is None or self._first is None:
            return ""
        done = self.counts["finished"] + self.counts["failed"]
        rest = self.total - done - self.counts["skipped"]
        if done < 2 or rest <= 0:
            return ""
        seconds = (self._clock() - self._first) / done * rest
        return f"about {rounded(seconds)} left"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        with self._lock:
            running, failed = [*self._running.values()], [*self._failed]
            head = self._head(len(running))
        room = max(options.size.height - 2, 0)  # below the head, and above the cursor
        n_failed = min(len(failed), FAILURES, room // 2 if running else room)
        n_rows = len(running) if len(running) <= room - n_failed else max(room - n_failed - 1, 0)
        yield head
        if n_rows:
            yield self._table(running[:n_rows])
        if n_rows < len(running) and room:
            yield Text(f"  and {len(running) - n_rows} more", style="dim")
        for run, text in failed[len(failed) - n_failed :]:
            yield Text(_printable(f"  failed {run}: {text}"), style="red", no_wrap=True, overflow="ellipsis")

    def _head(self, n_running: int) -> Table:
        done = sum(self.counts.values())
        parts = [f"{done} of {self.total} jobs" if self.total else f"{done} jobs", f"{n_running} running"]
        parts += [f"{self.counts[state]} {state}" for state in ("failed", "skipped") if self.counts[state]]
        parts += [left] if (left := self.left()) else []
        head = Table.grid(padding=(0, 1))
        head.add_column(width=BAR if self.total else 0)
        head.add_column(no_wrap=True, overflow="ellipsis")
        bar = ProgressBar(total=self.total, completed=done, width=BAR) if self.total else ""
        head.add_row(bar, Text(", ".join(parts), style="red" if self.counts["failed"] else ""))
        return head

    def _table(self, running: list[Running]) -> Table:
        """A line per job."""
        table = Table.grid(padding=(0, 2))
        for ratio in (None, None, 1):
            table.add_column(no_wrap=True, overflow="ellipsis", ratio=ratio)
        now = self._clock()
        for each in running:
            words = (f"  {each.run}", each.text, rounded(now - each.since))
            table.add_row(*(Text(_printable(word)) for word in words))
        return table


def _printable(text: str) -> str:
    """On one line, and without what a terminal would obey."""
    return "".join(character if character.isprintable() else " " for character in text)


def rounded(seconds: float) -> str:
    """As exactly as a guess deserves: 40 s, 12 min, 3 h 20 min."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    hours, minutes = divmod(10 * round(seconds / 600), 60)
    return f"{hours:.0f} h {minutes:.0f} min" if minutes else f"{hours:.0f} h"
