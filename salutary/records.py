"""What a run leaves behind: one directory with config.yaml, rounds.csv, queries.csv and run.json.

A run writes into ``<name>.partial``, every file atomically, and gives the directory its name when
all is there. The schema is in docs/records.md.
"""

from __future__ import annotations

import contextlib
import copy
import csv
import hashlib
import importlib.metadata
import io
import json
import os
import platform
import shutil
import subprocess
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Self

from salutary import __version__
from salutary.errors import SalutaryError
from salutary.files import sync, write_atomic

if TYPE_CHECKING:  # readers of records need no torch
    from salutary.datasets import Table
    from salutary.loop import Round
    from salutary.metrics import Metrics


@dataclass(frozen=True)
class Identity:
    """The names a run is known by: those of its YAML files, and the seed."""

    dataset: str
    strategy: str
    model: str
    protocol: str
    seed: int


ROUND_COLUMNS = (
    *(field.name for field in fields(Identity)),
    "round",
    "n_labeled",
    "n_human_labels",
    "val_loss",
    "val_accuracy",
    "test_loss",
    "test_accuracy",
    "test_balanced_accuracy",
    "test_macro_f1",
    "label_agreement",
    "select_seconds",
    "fit_seconds",
    "stop",
)
QUERY_COLUMNS = (
    "round",
    "rank",
    "sample_id",
    "assigned_label",
    "true_label",
    "predicted_label",
    "influence",
)
PACKAGES = ("numpy", "scipy", "torch", "scikit-learn", "modAL-python", "pandas", "hydra-core", "omegaconf")


def run_name(identity: Identity, config: dict) -> str:
    """Directory name: readable, then a hash of all settings that change the result."""
    text = json.dumps(what_matters(config), sort_keys=True, default=str)
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    names = [identity.dataset, identity.strategy, identity.model, identity.protocol]
    return "-".join([*names, f"seed{identity.seed}", digest])


def what_matters(config: dict) -> dict:
    """The settings without those that say where and how fast, which do not change the result."""
    config = copy.deepcopy(config)
    data_dir = config.pop("data_dir", None)
    if config["dataset"].get("data_dir") == data_dir:  # a data set's own folder of files does matter
        config["dataset"].pop("data_dir", None)
    config.pop("output_dir", None)
    for name in ("name", "threads"):
        config["device"].pop(name, None)
    return config


class RunDirectory:
    """Writes the records of one run, as a context: nothing exists on disk before the first round.

    Rounds and queries are appended, a round's queries before the round itself, so that the files hold a
    round wholly or not; the rest is written atomically. When a mistake of the user ends the run, what was
    written is removed, and a finished record of an earlier run stays as it is. An interrupted run leaves
    its ``<name>.partial``.
    """

    def __init__(self, output_dir: str, identity: Identity, config: dict, config_yaml: str):
        self.path = Path(output_dir).expanduser() / run_name(identity, config)
        self.partial = self.path.with_name(self.path.name + ".partial")
        self.identity = identity
        self.settings = what_matters(config)
        self.config_yaml = config_yaml
        self._started = False
        self._made_output_dir = False

    def __enter__(self) -> Self:
        """Raises SalutaryError if the directory can certainly not be made, before any work is done."""
        parent = self.path.parent.absolute()
        while not parent.exists():
            parent = parent.parent
        if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
            raise SalutaryError(f"output_dir={self.path.parent} cannot be written: see {parent}")
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        if kind and issubclass(kind, SalutaryError) and self._started:
            shutil.rmtree(self.partial, ignore_errors=True)
            if self._made_output_dir:
                with contextlib.suppress(OSError):  # other runs may be in there by now
                    self.path.parent.rmdir()

    def append(self, record: Round) -> None:
        """Add one round; the files on disk are always complete up to some round."""
        if not self._started:
            self._start()
        self._append("queries.csv", _csv(QUERY_COLUMNS, map(asdict, record.queries)))
        self._append("rounds.csv", _csv(ROUND_COLUMNS, [self._row(record)]))

    def add_tables(self, tables: dict[str, list[dict]]) -> None:
        """Write each table, rows of equal keys, to ``<name>.csv``."""
        for name, rows in tables.items():
            self._write(f"{name}.csv", _csv(tuple(rows[0]), rows, header=True))

    def finish(self, references: dict[str, Metrics], table: Table, device: str, seconds: float) -> None:
        """Write run.json and give the directory its final name, in place of an earlier record."""
        content = {
            **asdict(self.identity),
            "settings": self.settings,
            "references": {name: asdict(metrics) for name, metrics in references.items()},
            "class_names": table.class_names,
            "data_shape": table.X.shape,
            "data_sha256": table.sha256,
            "device": device,
            "seconds": seconds,
            "finished": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            **_environment(),
        }
        self._write("run.json", json.dumps(content, indent=2) + "\n")
        try:
            for name in ("queries.csv", "rounds.csv"):
                sync(self.partial / name)
            shutil.rmtree(self.path, ignore_errors=True)
            self.partial.rename(self.path)
        except OSError as error:
            raise _unwritable(self.path, error) from error

    def _start(self) -> None:
        try:
            self._made_output_dir = not self.path.parent.exists()
            shutil.rmtree(self.partial, ignore_errors=True)
            self.partial.mkdir(parents=True)
        except OSError as error:
            raise _unwritable(self.partial, error) from error
        self._started = True
        self._write("config.yaml", self.config_yaml)
        for name, columns in {"queries.csv": QUERY_COLUMNS, "rounds.csv": ROUND_COLUMNS}.items():
            self._write(name, _csv(columns, [], header=True))

    def _row(self, record: Round) -> dict:
        return {
            **asdict(self.identity),
            "round": record.round,
            "n_labeled": record.n_labeled,
            "n_human_labels": record.n_human_labels,
            "val_loss": record.validation.loss,
            "val_accuracy": record.validation.accuracy,
            "test_loss": record.test.loss,
            "test_accuracy": record.test.accuracy,
            "test_balanced_accuracy": record.test.balanced_accuracy,
            "test_macro_f1": record.test.macro_f1,
            "label_agreement": record.label_agreement,
            "select_seconds": record.select_seconds,
            "fit_seconds": record.fit_seconds,
            "stop": record.stop,
        }

    def _append(self, name: str, text: str) -> None:
        try:
            with (self.partial / name).open("a") as file:
                file.write(text)
        except OSError as error:
            raise _unwritable(self.partial / name, error) from error

    def _write(self, name: str, text: str) -> None:
        try:
            write_atomic(self.partial / name, text.encode())
        except OSError as error:
            raise _unwritable(self.partial / name, error) from error


def _unwritable(path: Path, error: OSError) -> SalutaryError:
    return SalutaryError(f"{path} cannot be written: {error.strerror}; set output_dir")


def _csv(columns: tuple[str, ...], rows: Iterable[dict], header: bool = False) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, lineterminator="\n")
    if header:
        writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def _environment() -> dict:
    return {
        "versions": {
            "salutary": __version__,
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in PACKAGES},
        },
        "git_commit": _git_commit(),
        "platform": platform.platform(),
    }


def _git_commit() -> str | None:
    """Commit of the checkout the program runs from, None when installed from a package."""
    root = Path(__file__).parents[1]
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
