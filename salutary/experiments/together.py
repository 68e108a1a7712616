"""Records of several folders, such as those of two clusters: each run once, wherever the folders are."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from salutary.experiments.runs import damage, finished_runs
from salutary.system.files import as_path
from salutary.system.remote import fetched_files
from salutary.system.urls import is_remote, public

# Of rounds.csv: what is another in every run.
TIMINGS = ("select_seconds", "fit_seconds")


def brought_here(folder: str | Path) -> Path:
    """The folder, or a copy of the records in one elsewhere, such as s3://bucket/outputs.

    Raises SalutaryError for what cannot be read.
    """
    return fetched_files(str(folder), are_records) if is_remote(str(folder)) else as_path(folder)


def are_records(name: str) -> bool:
    """Whether a file is one of a finished run, by its path below the folder."""
    path = Path(name)
    is_finished = len(path.parts) > 1 and not any(each.endswith(".partial") for each in path.parts)
    return is_finished and (path.suffix == ".csv" or path.name == "run.json")


@dataclass(frozen=True)
class Together:
    """The runs of some folders: ``names`` of them by their places here, each run once.

    ``again``: how many more there were of them, and ``others``: the names of those with other rounds, timings
    aside. ``damaged``: what is wrong with those that another folder has, too. ``places``: the folders here.
    """

    names: dict[Path, str]
    again: int
    others: list[str]
    damaged: list[str]
    places: list[Path]

    @classmethod
    def of(cls, folders: Sequence[str | Path]) -> Self:
        """Of a run that several folders have, that of the first is taken where it is not damaged.

        Its name is its path below the folder, behind that of the folder where there are several. Raises
        SalutaryError for a folder without a finished run.
        """
        places = [brought_here(folder) for folder in folders]
        names: dict[Path, str] = {}
        taken: dict[str, Path] = {}
        again, others, damaged = 0, [], []
        for folder, place in zip(folders, places, strict=True):
            here = {}
            for path in finished_runs([place]):
                if first := taken.get(path.name):
                    again += 1
                    wrong, of_first = damage(path), damage(first)
                    if wrong or not of_first:
                        damaged += [wrong] if wrong else []
                        others += [path.name] if not wrong and _rounds(path) != _rounds(first) else []
                        continue
                    damaged.append(of_first)
                    del names[first]
                here[path.name] = path
                names[path] = _name(path, place, folder if len(places) > 1 else None)
            taken |= here
        return cls(names, again, others, damaged, places)


def _name(path: Path, place: Path, folder: str | Path | None) -> str:
    """Of a run in a ``place`` here; ``folder``: how that was named, if it is one of several."""
    below = os.path.relpath(path, place)
    if below == ".":
        below = "" if folder else path.resolve().name
    above = public(str(folder)).rstrip("/") if folder else ""
    return "/".join(each for each in (above, below) if each)


def _rounds(path: Path) -> list[dict[str, str]]:
    """Without the timings; of a run that is not damaged."""
    lines = csv.DictReader(io.StringIO((path / "rounds.csv").read_text()))
    return [{name: row[name] for name in row if name not in TIMINGS} for row in lines]
