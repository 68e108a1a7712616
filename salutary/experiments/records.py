"""What a run leaves behind: one directory with config.yaml, rounds.csv, queries.csv, run.json and more.

A run writes into ``<name>.partial`` and gives the directory its name when all is there; an interrupted
one goes on from its last round. The schema is in docs/records.md.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import logging
import shutil
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Self

import yaml

from salutary.errors import SalutaryError
from salutary.experiments.identity import CONTENTS, NAMES, Identity, run_name, what_matters
from salutary.experiments.metrics import Metrics
from salutary.experiments.resume import read_back, read_rows
from salutary.experiments.rounds import Query, Round, columns, row
from salutary.experiments.settings import Settings
from salutary.system.environment import environment
from salutary.system.files import as_path, locked, sync, write_atomic
from salutary.system.own_code import OwnCode
from salutary.system.urls import public_values, without_secrets

if TYPE_CHECKING:  # readers of records need no torch
    from salutary.datasets import Table
    from salutary.experiments.held_out import HeldOut
    from salutary.experiments.problem import Problem

log = logging.getLogger(__name__)


def _names(*records: type) -> tuple[str, ...]:
    return tuple(column.name for record in records for column in columns(record))


ROUND_COLUMNS = _names(Identity, Round)
QUERY_COLUMNS = _names(Query)


class DiskError(SalutaryError):
    """Something cannot be written now; what is there stays, so that the run can go on later."""


class RunDirectory:
    """Writes the records of one run, as a context in which no other process can do the same run.

    Rounds and queries are appended, a round's queries before the round itself, so that the files hold a
    round wholly or not; the rest is written atomically. An interrupted run leaves its ``<name>.partial``,
    where :meth:`resume` goes on, unless its rounds are of another code of the user's, or of one that failed.
    When a mistake of the user ends the run, what this process wrote is removed, unless it went on with
    rounds of an earlier one; with ``keep_failures`` all stays, and an error.txt says why. A finished record
    of an earlier run stays as it is until a new one is finished.
    """

    def __init__(
        self,
        output_dir: str,
        identity: Identity,
        config: dict,
        keep_failures: bool = False,
    ):
        self.path = as_path(output_dir) / run_name(identity, config)
        self.partial = self.path.with_name(self.path.name + ".partial")
        self.checkpoint = self.path.with_name(self.path.name + ".checkpoint")  # of a training, by the model
        self.identity = identity
        self.config = config
        self.keep_failures = keep_failures
        self._code = OwnCode(config, self.partial)
        self._replaced = self.path.with_name(self.path.name + ".old.partial")
        self._lock = contextlib.ExitStack()
        self._started = False
        self._is_mine = False  # whether .partial holds nothing of an earlier process

    @classmethod
    def of(cls, config: dict, choices: Mapping[str, str], keep_failures: bool = False) -> Self:
        """Where a resolved configuration writes; ``choices``: the names of its YAML files, by group.

        Raises SalutaryError for a setting out of range, and for a group that is missing.
        """
        from salutary.experiments.contents import contents

        settings = Settings.of(config)
        for group in (*NAMES, "device"):
            if not isinstance(config.get(group), dict) or not choices.get(group):
                raise SalutaryError(f"the setting {group} is missing")
        names = {group: choices[group] for group in NAMES}
        if found := contents(config["dataset"]):
            config = {**config, CONTENTS: found}
        return cls(settings.output_dir, Identity(**names, seed=settings.seed), config, keep_failures)

    @property
    def finished(self) -> bool:
        """Whether the run is finished; a moment's look, without the lock."""
        return (self.path / "run.json").exists()

    def __enter__(self) -> Self:
        """Wait until no other process does this run. Raises SalutaryError if nothing can be written."""
        try:
            self._lock.enter_context(locked(self.path.with_name(self.path.name + ".lock"), self._wait))
        except OSError as error:
            raise DiskError(f"output_dir={self.path.parent} cannot be written: {error.strerror}") from error
        if (self.partial / "run.json").exists():
            self._publish()  # it was stopped just before
        shutil.rmtree(self._replaced, ignore_errors=True)
        return self

    def _wait(self) -> None:
        log.warning(f"waiting for another process that does {self.path.name}")

    def __exit__(self, kind: type | None, error: BaseException | None, trace: object) -> None:
        with self._lock:
            if isinstance(error, Exception) and not isinstance(error, DiskError) and self._code.raised(error):
                self._code.forget()
            if isinstance(error, Exception) and self.keep_failures:
                self._keep(error)
            elif self._is_mine and isinstance(error, SalutaryError) and not isinstance(error, DiskError):
                shutil.rmtree(self.partial, ignore_errors=True)
                self.checkpoint.unlink(missing_ok=True)

    def _keep(self, error: Exception) -> None:
        """Say in the run's directory why it failed, if that can be written."""
        with contextlib.suppress(OSError):
            write_atomic(self.partial / "config.yaml", self._config_yaml().encode())
            told = without_secrets("".join(traceback.format_exception(error)))
            write_atomic(self.partial / "error.txt", told.encode())

    def resume(self, force: bool = False, lack: Callable[[Round], str] | None = None) -> tuple[Round, ...]:
        """The rounds that an interrupted run has finished; none if ``force`` starts it afresh.

        ``lack``: what else is missing after the last of them, such that it starts over; empty if nothing is.
        """
        done = () if force or not self.partial.exists() else read_back(self.partial)
        doubt = self._code.doubt() if done else ""
        doubt = lack(done[-1]) if done and lack and not doubt else doubt
        if doubt:
            log.warning("%s starts over: %s", self.path.name, doubt)
        if not done or doubt:
            done = ()
            shutil.rmtree(self.partial, ignore_errors=True)
        if force or doubt:
            self.checkpoint.unlink(missing_ok=True)
        for left_over in self.partial.glob(".*"):  # of a write that was killed
            left_over.unlink(missing_ok=True)
        self._started = bool(done)
        (self.partial / "error.txt").unlink(missing_ok=True)
        return done

    def append(self, record: Round) -> None:
        """Add one round; the files on disk are always complete up to some round."""
        if not self._started:
            self._start()
        self._note_code()
        queries = [{**row(query), **query.soft_columns} for query in record.queries]
        self._append_rows("queries.csv", queries)
        self._append_rows("rounds.csv", [{**asdict(self.identity), **row(record)}])

    def _append_rows(self, name: str, new: list[dict]) -> None:
        """To a file that gets the columns that it lacks at its end, empty so far."""
        with (self.partial / name).open(newline="") as file:
            there = tuple(next(csv.reader(file)))
        wanted = tuple(dict.fromkeys([*there, *(column for each in new for column in each)]))
        if wanted != there:
            self._write(name, _csv(wanted, read_rows(self.partial / name), header=True))
        self._append(name, _csv(wanted, new))

    def add_tables(self, tables: dict[str, list[dict]]) -> None:
        """Write each table, rows of equal keys, to ``<name>.csv``."""
        self._note_code()
        for name, rows in tables.items():
            self._write(f"{name}.csv", _csv(tuple(rows[0]), rows, header=True))

    def table(self, name: str) -> list[dict[str, str]]:
        """The rows of ``<name>.csv``, as far as this run, or the interrupted one that it goes on with, wrote
        it.
        """
        return read_rows(self.partial / f"{name}.csv")

    def add_file(self, name: str, content: bytes) -> None:
        """Write a file beside the tables."""
        try:
            write_atomic(self.partial / name, content)
        except OSError as error:
            raise _unwritable(self.partial / name, error) from error

    def finish(
        self,
        references: dict[str, Metrics],
        problem: Problem,
        table: Table,
        device: str,
        seconds: float,
        same_strategies: tuple[str, ...] = (),
        held_out: HeldOut | None = None,
    ) -> None:
        """Write run.json and give the directory its final name, in place of an earlier record."""
        content = {
            **asdict(self.identity),
            "settings": what_matters(self.config),
            CONTENTS: self.config.get(CONTENTS, {}),
            "references": {name: metrics.facts for name, metrics in references.items()},
            "held_out": asdict(held_out) if held_out else None,
            "same_strategies": same_strategies,
            "objective": problem.criterion.about if problem.criterion else None,
            "group_names": table.groups.names if table.groups else None,
            "class_names": table.class_names,
            "data_shape": table.X.shape,
            "data_sha256": table.sha256,
            "encoder": table.encoder,
            "device": device,
            "seconds": seconds,
            "finished": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            **environment(),
        }
        try:
            for name in ("queries.csv", "rounds.csv"):
                sync(self.partial / name)
        except OSError as error:
            raise _unwritable(self.partial, error) from error
        self._write("run.json", json.dumps(content, indent=2) + "\n")
        self._publish()

    def _publish(self) -> None:
        """Give the finished directory its name. At any moment the old or the new record is there, whole."""
        try:
            self._code.forget()
            if self.path.exists():
                self.path.rename(self._replaced)
            self.partial.rename(self.path)
        except OSError as error:
            raise _unwritable(self.path, error) from error
        shutil.rmtree(self._replaced, ignore_errors=True)

    def _start(self) -> None:
        self._started = self._is_mine = True
        self._write("config.yaml", self._config_yaml())
        for name, header in {"queries.csv": QUERY_COLUMNS, "rounds.csv": ROUND_COLUMNS}.items():
            self._write(name, _csv(header, [], header=True))

    def _config_yaml(self) -> str:
        kept = {name: value for name, value in self.config.items() if name != "force"}
        return yaml.safe_dump(public_values(kept), sort_keys=False)

    def _note_code(self) -> None:
        try:
            self._code.note()
        except OSError as error:
            raise _unwritable(self._code.file, error) from error

    def _append(self, name: str, text: str) -> None:
        try:
            with (self.partial / name).open("a") as file:
                file.write(text)
        except OSError as error:
            raise _unwritable(self.partial / name, error) from error

    def _write(self, name: str, text: str) -> None:
        self.add_file(name, text.encode())


def _unwritable(path: Path, error: OSError) -> DiskError:
    return DiskError(f"{path} cannot be written: {error.strerror}; set output_dir")


def _csv(columns: tuple[str, ...], rows: Iterable[dict], header: bool = False) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, lineterminator="\n")
    if header:
        writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()
