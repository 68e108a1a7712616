"""What a long work shows: a bar on standard error, and log lines above it."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class LogHandler(logging.Handler):
    """Prints log lines to the standard output of the moment, which puts them above a progress bar."""

    def emit(self, record: logging.LogRecord) -> None:
        print(self.format(record))


@contextlib.contextmanager
def counting_bar(description: str, total: int | None, shown: bool = True) -> Iterator[Callable[[int], None]]:
    """A bar on standard error, if that is a terminal; gives a function that advances it."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    disabled = not shown or not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=disabled) as bar:
        task = bar.add_task(description, total=total)
        yield lambda n: bar.advance(task, n)
