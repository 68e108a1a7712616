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


def console(stderr: bool = False, soft_wrap: bool = False) -> Console:
    """Prints text as it is: a path may look like markup."""
    return Console(stderr=stderr, soft_wrap=soft_wrap, highlight=False, markup=False)


def progress_bar(shown: bool = True) -> Progress:
    """A bar on standard error, if that is a terminal; what is printed meanwhile comes above it."""
    errors, description = console(stderr=True), TextColumn("{task.description}", markup=False)
    columns = (description, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    disabled = not shown or not errors.is_terminal
    return Progress(*columns, console=errors, transient=True, disable=disabled)


@contextlib.contextmanager
def counting_bar(description: str, total: int | None, shown: bool = True) -> Iterator[Callable[[int], None]]:
    """A :func:`progress_bar` of one task; gives a function that advances it."""
    with progress_bar(shown) as bar:
        task = bar.add_task(description, total=total)
        yield lambda n: bar.advance(task, n)
