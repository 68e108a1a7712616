"""Finished runs as one table."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pandas as pd

from salutary.errors import SalutaryError
from salutary.records import ROUND_COLUMNS


def read_rounds(folders: list[Path]) -> pd.DataFrame:
    """``rounds.csv`` of every finished run below the folders, with the run's path in ``run``.

    Raises SalutaryError when there is none, or naming a file that is not as docs/records.md says.
    """
    return pd.concat([_read(path) for path in finished_runs(folders)], ignore_index=True)


def read_references(folders: list[Path]) -> pd.DataFrame:
    """The reference lines of every finished run: dataset, seed, run, line, test_loss, test_accuracy."""
    rows = []
    for path in finished_runs(folders):
        file = path / "run.json"
        try:
            facts = json.loads(file.read_text())
            lines = {line: (each["loss"], each["accuracy"]) for line, each in facts["references"].items()}
            names = {name: facts[name] for name in ("dataset", "seed")}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SalutaryError(f"{file} cannot be read: {error!r}") from error
        rows += [
            {**names, "run": str(path), "line": line, "test_loss": loss, "test_accuracy": accuracy}
            for line, (loss, accuracy) in lines.items()
        ]
    return pd.DataFrame(rows)


def finished_runs(folders: list[Path]) -> list[Path]:
    """Directories of the finished runs below the folders; raises SalutaryError if there is none."""
    # os.walk does not mind directories that a running sweep renames meanwhile.
    found = {Path(root) for folder in folders for root, _, files in os.walk(folder) if "run.json" in files}
    paths = sorted(path for path in found if path.suffix != ".partial")
    if not paths:
        raise SalutaryError(f"no finished run below {', '.join(map(str, folders))}")
    return paths


def _read(path: Path) -> pd.DataFrame:
    file = path / "rounds.csv"
    try:
        frame = pd.read_csv(file)
    except (OSError, ValueError) as error:
        raise SalutaryError(f"{file} cannot be read: {error}") from error
    if tuple(frame.columns) != ROUND_COLUMNS:
        raise SalutaryError(f"{file} does not have the columns of docs/records.md")
    return frame.assign(run=str(path))


def last_rounds(rounds: pd.DataFrame) -> pd.DataFrame:
    """The last round of each run."""
    return rounds.sort_values("round").groupby("run", as_index=False).last()
