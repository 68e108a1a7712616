"""Finished runs as one table."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from salutary.errors import SalutaryError
from salutary.records import ROUND_COLUMNS


def read_rounds(folders: list[Path]) -> pd.DataFrame:
    """``rounds.csv`` of every finished run below the folders, with the run's path in ``run``.

    Raises SalutaryError when there is none, or naming a file that is not as docs/records.md says.
    """
    paths = sorted({marker.parent for folder in folders for marker in folder.rglob("run.json")})
    paths = [path for path in paths if path.suffix != ".partial"]
    if not paths:
        raise SalutaryError(f"no finished run below {', '.join(map(str, folders))}")
    return pd.concat([_read(path) for path in paths], ignore_index=True)


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
