"""What a run leaves behind: one directory with config.yaml, rounds.csv, queries.csv and run.json.

Every file is written atomically and ``run.json`` last of all: a directory without it is a run
that did not finish. The schema is in docs/records.md.
"""

from __future__ import annotations

import csv
import hashlib
import importlib.metadata
import io
import json
import os
import platform
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from salutary import __version__
from salutary.errors import SalutaryError
from salutary.files import write_atomic

if TYPE_CHECKING:  # readers of records need no torch
    from salutary.datasets import Table
    from salutary.loop import Round
    from salutary.metrics import Metrics

IDENTITY = ("dataset", "strategy", "model", "protocol", "seed")
ROUND_COLUMNS = (
    *IDENTITY,
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

# Settings that say where and how fast, not what: they do not change the result.
_NOT_PART_OF_THE_RESULT = {"data_dir", "output_dir", "threads"}


@dataclass(frozen=True)
class Identity:
    """The names a run is known by: those of its YAML files, and the seed."""

    dataset: str
    strategy: str
    model: str
    protocol: str
    seed: int


def run_name(identity: Identity, config: dict) -> str:
    """Directory name: readable, then a hash of all settings that change the result."""
    config = _what_matters(config)
    config.get("device", {}).pop("name", None)
    text = json.dumps(config, sort_keys=True, default=str)
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    names = [identity.dataset, identity.strategy, identity.model, identity.protocol]
    return "-".join([*names, f"seed{identity.seed}", digest])


class RunDirectory:
    """Writes the records of one run. Nothing exists on disk before :meth:`start`."""

    def __init__(self, output_dir: str, identity: Identity, config: dict):
        self.path = Path(output_dir).expanduser() / run_name(identity, config)
        self.identity = identity
        self._rounds: list[Round] = []

    def check_writable(self) -> None:
        """Raises SalutaryError if the directory can certainly not be made, before any work is done."""
        parent = self.path.parent.absolute()
        while not parent.exists():
            parent = parent.parent
        if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
            raise SalutaryError(f"output_dir={self.path.parent} cannot be written: see {parent}")

    def start(self, config_yaml: str) -> None:
        """Make the directory, or begin an existing one anew (its run.json goes first)."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            (self.path / "run.json").unlink(missing_ok=True)
        except OSError as error:
            raise _unwritable(self.path, error) from error
        self._write("config.yaml", config_yaml)

    def append(self, record: Round) -> None:
        """Add one round; the files on disk are always complete up to some round."""
        self._rounds.append(record)
        queries = [asdict(query) for record in self._rounds for query in record.queries]
        self._write("queries.csv", _csv(QUERY_COLUMNS, queries))
        self._write("rounds.csv", _csv(ROUND_COLUMNS, [self._row(r) for r in self._rounds]))

    def finish(self, references: dict[str, Metrics], table: Table, device: str, seconds: float) -> None:
        """Write run.json, which marks the run as finished."""
        content = {
            **asdict(self.identity),
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
        }

    def _write(self, name: str, text: str) -> None:
        try:
            write_atomic(self.path / name, text.encode())
        except OSError as error:
            raise _unwritable(self.path / name, error) from error


def _unwritable(path: Path, error: OSError) -> SalutaryError:
    return SalutaryError(f"{path} cannot be written: {error.strerror}; set output_dir")


def _what_matters(config: dict) -> dict:
    return {
        key: _what_matters(value) if isinstance(value, dict) else value
        for key, value in config.items()
        if key not in _NOT_PART_OF_THE_RESULT
    }


def _csv(columns: tuple[str, ...], rows: list[dict]) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, lineterminator="\n")
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
