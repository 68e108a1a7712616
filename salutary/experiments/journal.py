"""What a sweep tells while it runs: every job, in whichever process, notes its state in one file."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.live import Live

from salutary.experiments.live import Board
from salutary.system.progress import Pace, console, is_terminal
from salutary.system.urls import without_secrets

JOURNAL = "jobs.jsonl"
SECONDS_BETWEEN_LOOKS = 0.2


@dataclass(frozen=True)
class Note:
    """``state``: running, finished, skipped (it was finished before) or failed; ``text``: what to show; of a
    note ``found`` it is what was, in the user's files.

    ``job``: its number at the launcher; negative if it was not launched. ``folder``: where its run lies.
    """

    job: int
    run: str
    state: str
    text: str = ""
    folder: str = ""


def note(sweep_dir: Path, entry: Note) -> None:
    """Append to the journal; a full disk does not stop the job."""
    with contextlib.suppress(OSError):
        # One write of less than a page to a file opened for appending is not mixed with others'.
        handle = os.open(sweep_dir / JOURNAL, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            shown = {"run": without_secrets(entry.run), "text": without_secrets(entry.text)[:2000]}
            os.write(handle, json.dumps(asdict(entry) | shown).encode() + b"\n")
        finally:
            os.close(handle)


class Watch:
    """Shows the journal while jobs run: one line per finished job, and below them a :class:`Board` if this is
    a terminal.

    Without a terminal, now and then a line of a job that runs. What several jobs find in the user's files is
    told once. ``total``: of jobs, if that is known.
    """

    def __init__(self, sweep_dir: Path, total: int | None):
        self.journal = sweep_dir / JOURNAL
        self.total = total
        self.failed: dict[int, Note] = {}
        self.ended: set[int] = set()
        self.counts: Counter[str] = Counter()
        self.running: dict[int, str] = {}
        self.folders: set[str] = set()
        self._found: set[str] = set()
        self._pace = Pace()
        self._offset = 0
        self._stop = threading.Event()
        # Lines go to the output; the board, if any, to standard error.
        self._lines = console(soft_wrap=True)
        self._screen = console(stderr=True, soft_wrap=True)
        self._board = Board(total)
        self._shown = self._screen.is_terminal

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Look at the journal now and then, in a thread of its own."""
        thread = threading.Thread(target=self._look_again, daemon=True)
        with self._live():
            thread.start()
            try:
                yield
            finally:
                self._stop.set()
                thread.join()
                self.look()

    def _live(self) -> contextlib.AbstractContextManager:
        """The board; whatever else is printed on the same terminal meanwhile comes above it."""
        if not self._shown:
            return contextlib.nullcontext()
        both = is_terminal()
        if both:
            self._lines = self._screen
        return Live(
            self._board, console=self._screen, refresh_per_second=4, transient=True, redirect_stdout=both
        )

    def _look_again(self) -> None:
        while not self._stop.wait(SECONDS_BETWEEN_LOOKS):
            self.look()

    def look(self) -> None:
        """Show what has come since the last look; half a line waits for its end."""
        try:
            with self.journal.open("rb") as file:
                file.seek(self._offset)
                content = file.read()
        except OSError:
            return
        whole = content[: content.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in whole.splitlines():
            with contextlib.suppress(ValueError, TypeError):
                self.show(Note(**json.loads(line)))

    def show(self, entry: Note) -> None:
        """Take an entry in, and print it if a job has ended."""
        self.folders |= {entry.folder} - {""}
        if entry.state == "found":
            if entry.text not in self._found:
                self._lines.print(entry.text)
            self._found.add(entry.text)
            return
        if entry.state == "running":
            self._show_running(entry)
            return
        self.running.pop(entry.job, None)
        self.ended.add(entry.job)
        self.counts[entry.state] += 1
        self._board.ended(entry.job, entry.run, entry.state, entry.text)
        if entry.state == "failed":
            self.failed[entry.job] = entry
        if entry.job < 0:  # not launched: told in one line for all
            return
        number = str(len(self.ended))
        if self.total:
            number = f"{number:>{len(str(self.total))}}/{self.total}"
        self._lines.print(f"{number} {entry.state} {entry.run}{': ' if entry.text else ''}{entry.text}")

    def _show_running(self, entry: Note) -> None:
        self.running[entry.job] = entry.run
        self._board.began(entry.job, entry.run, entry.text)
        if entry.text and not self._shown and self._pace.is_due():
            self._lines.print(f"running {entry.run}: {entry.text}")

    def summary(self) -> str:
        """How many jobs there are, and what became of them."""
        counts, total = self.counts, self.total or len(self.ended)
        return (
            f"{total} jobs: {counts['finished']} run, {counts['skipped']} finished before,"
            f" {counts['failed']} failed"
        )


def duration(seconds: float) -> str:
    """12.3 s, 4 min 5 s, 2 h 3 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
