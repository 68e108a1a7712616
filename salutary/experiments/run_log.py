"""``run.log``: what was told during a run, with times, and a line for each of its rounds."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator
from pathlib import Path

from salutary.experiments.rounds import Round

NAME = "run.log"
LINE, TIME = "%(asctime)s %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S%z"


class RunLog(logging.Handler):
    """Appends lines to a file in a ``folder``, once that is the run's: until :meth:`begin`, and until the
    folder is there, they wait.

    Lines of other threads are of other runs. What cannot be written is left out: it keeps no run from ending.
    """

    def __init__(self, folder: Path):
        super().__init__(logging.INFO)
        self.setFormatter(logging.Formatter(LINE, TIME))
        self.folder = folder
        self._thread = threading.get_ident()
        self._waiting: list[str] = []
        self._begun = False

    def begin(self) -> None:
        """What lies in the folder from now on is of this run."""
        self._begun = True

    def note(self, text: str, level: int = logging.INFO) -> None:
        """A line that nobody is told otherwise."""
        self.handle(logging.LogRecord(__name__, level, __file__, 0, text, (), None))

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread != self._thread:
            return
        self._waiting.append(self.format(record) + "\n")
        if self._begun and self.folder.is_dir():
            with contextlib.suppress(OSError), (self.folder / NAME).open("a", encoding="utf-8") as file:
                file.writelines(self._waiting)
            self._waiting.clear()


@contextlib.contextmanager
def logged(folder: Path) -> Iterator[RunLog]:
    """What the program tells meanwhile from the level INFO on, whether or not it is shown; and an error."""
    root, ours, run_log = logging.getLogger(), logging.getLogger("salutary"), RunLog(folder)
    level, shown, handlers = ours.level, ours.getEffectiveLevel(), [*root.handlers, *ours.handlers]
    if not handlers and logging.lastResort:
        root.addHandler(logging.lastResort)  # which shows warnings as long as there is no handler

    def is_shown(record: logging.LogRecord) -> bool:
        return record.levelno >= shown or not f"{record.name}.".startswith("salutary.")

    for handler in handlers:
        handler.addFilter(is_shown)
    root.addHandler(run_log)
    ours.setLevel(min(shown, logging.INFO))
    try:
        yield run_log
    except BaseException as error:
        run_log.note(f"ended by {type(error).__name__}: {error}".rstrip(": "), logging.ERROR)
        raise
    finally:
        ours.setLevel(level)
        root.removeHandler(run_log)
        for handler in handlers:
            handler.removeFilter(is_shown)
        if not handlers and logging.lastResort:
            root.removeHandler(logging.lastResort)


def line_of(record: Round) -> str:
    """``round 3: 330 labelled, test accuracy 0.9120, test loss 0.3; 0.012 s to choose, 0.034 s to fit``."""
    test, stop = record.test, f"; {record.stop}" if record.stop else ""
    found = f"test accuracy {test.accuracy:.4f}, test loss {test.loss:.4f}"
    seconds = f"{record.select_seconds:.3f} s to choose, {record.fit_seconds:.3f} s to fit"
    return f"round {record.round}: {record.n_labeled} labelled, {found}; {seconds}{stop}"
