"""Finished runs as tables."""

from __future__ import annotations

import csv
import io
import json
import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from salutary.errors import SalutaryError
from salutary.experiments.records import ROUND_COLUMNS, Identity
from salutary.experiments.rounds import Round, columns
from salutary.system.moved import successor

TEXT_COLUMNS = {column.name for kind in (Identity, Round) for column in columns(kind) if column.kind is str}
# Of a table of whole numbers pandas makes floats where it can.
WHOLE_COLUMNS = [
    column.name
    for kind in (Identity, Round)
    for column in columns(kind)
    if column.kind is int and not column.optional
]
# Columns that rounds.csv has got since 0.3.0, at its end; records that lack the last of them are read, too.
LATE_COLUMNS = tuple(column.name for column in columns(Round) if column.is_late)
COLUMNS_OF_0_3 = ROUND_COLUMNS[: -len(LATE_COLUMNS)]
COLUMNS_OF_RECORDS = [ROUND_COLUMNS[:n] for n in range(len(ROUND_COLUMNS), len(COLUMNS_OF_0_3) - 1, -1)]
HEADER_OF_0_1 = ",".join(COLUMNS_OF_0_3).removesuffix(",surrogate_agreement,surrogate_l2") + "\n"
# What run.json says of the objective where there is none.
MEAN_LOSS = {"name": "loss", "figure": "accuracy", "higher_is_better": True}
# Settings at the top of the configuration that runs of one sweep may differ in.
SETTINGS = ("rounds", "budget", "n_init", "n_validation", "n_pool", "label_noise", "baselines_use_validation")


def read_rounds(folders: list[Path]) -> pd.DataFrame:
    """``rounds.csv`` of every finished run below the folders, with the run's path in ``run``.

    Raises SalutaryError when there is none, or naming file and line of what is not as docs/records.md says.
    """
    known, groups = {",".join(names) + "\n": names for names in COLUMNS_OF_RECORDS}, defaultdict(list)
    for path in finished_runs(folders):
        groups[known.get(_first_line(path / "rounds.csv"), ROUND_COLUMNS)].append(path)
    tables = [read_table(some, "rounds", names, TEXT_COLUMNS) for names, some in groups.items()]
    if len(tables) == 1:
        return tables[0].reindex(columns=[*ROUND_COLUMNS, "run"])
    table = pd.concat(tables, ignore_index=True).reindex(columns=[*ROUND_COLUMNS, "run"])
    return table.sort_values("run", kind="stable", ignore_index=True)


def read_table(
    paths: Iterable[Path], name: str, columns: tuple[str, ...], text: Iterable[str] = ()
) -> pd.DataFrame:
    """``<name>.csv`` of every run, one below the other, with the run's path in ``run``.

    All columns but those of ``text`` hold numbers or nothing. Raises SalutaryError naming file and line.
    """
    header = ",".join(columns) + "\n"
    bodies, runs = [], []
    for path in paths:
        content = _text(path / f"{name}.csv")
        if not content.startswith(header) or not content.endswith("\n"):
            _explain(path / f"{name}.csv", columns, text)
        bodies.append(content[len(header) :])
        runs += [str(path)] * (content.count("\n") - 1)
    # One parse for all: opening a parser for each of thousands of small files takes most of the time.
    types = {column: "string" if column in text else "float64" for column in columns}
    try:
        table = pd.read_csv(io.StringIO(header + "".join(bodies)), dtype=types, keep_default_na=True)
    except ValueError:
        table = pd.DataFrame()
    # With a field too many in the first line, pandas takes the first column for an index.
    is_plain = isinstance(table.index, pd.RangeIndex)
    if len(table) != len(runs) or tuple(table.columns) != columns or not is_plain:
        for path in paths:
            _explain(path / f"{name}.csv", columns, text)
    whole = [column for column in WHOLE_COLUMNS if column in table]
    return table.astype(dict.fromkeys(whole, "int64") | dict.fromkeys(text, "object")).assign(run=runs)


def _explain(file: Path, columns: tuple[str, ...], text: Iterable[str]) -> None:
    """Raises SalutaryError naming the first line that is wrong, if one is."""
    content = _text(file)
    if content.startswith(HEADER_OF_0_1):
        raise SalutaryError(f"{file} is of salutary 0.1.0, which is not read any more: run it again")
    lines = csv.reader(io.StringIO(content), strict=True)
    try:
        if tuple(next(lines, ())) != columns:
            raise ValueError("not the columns of docs/records.md")
        for row in lines:
            if len(row) != len(columns):
                raise ValueError(f"{len(row)} fields, not {len(columns)}")
            for column, value in zip(columns, row, strict=True):
                if column not in text and value:
                    float(value)
    except (ValueError, csv.Error) as error:
        raise SalutaryError(f"{file}, line {lines.line_num}: {error}") from error
    if not content.endswith("\n"):
        raise SalutaryError(f"{file}, line {lines.line_num}: cut off")


def _first_line(file: Path) -> str:
    """Empty of what cannot be read, which is told when it is."""
    try:
        with file.open() as lines:
            return lines.readline()
    except (OSError, ValueError):
        return ""


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, ValueError) as error:
        raise SalutaryError(f"{file} cannot be read: {error}") from error


def read_facts(folders: list[Path]) -> pd.DataFrame:
    """One row per finished run, indexed by its path: names, seed, :data:`SETTINGS`, ``settings`` (all of
    them), ``references`` (as in run.json), the names of its ``objective`` and ``figure``, whether of that
    ``higher_is_better``, ``seconds``, ``versions``, ``platform``, ``device``, ``git_commit``.

    Raises SalutaryError naming the file that is not as docs/records.md says.
    """
    rows = []
    names = ("dataset", "strategy", "model", "protocol", "seed", "settings", "references", "seconds")
    for path in finished_runs(folders):
        file = path / "run.json"
        try:
            facts = json.loads(_text(file))
            row = {name: facts[name] for name in (*names, "versions", "platform", "device", "git_commit")}
            row["settings"] = _of_today(row["settings"])
            objective = facts.get("objective") or MEAN_LOSS
            row |= {"objective": objective["name"], "figure": objective["figure"]}
            row["higher_is_better"] = objective["higher_is_better"]
            row |= {name: row["settings"][name] for name in SETTINGS}
        except json.JSONDecodeError as error:
            raise SalutaryError(f"{file}, line {error.lineno}: {error.msg}") from error
        except (KeyError, TypeError) as error:
            raise SalutaryError(f"{file}: {error} is missing; written by another version?") from error
        rows.append({"run": str(path), **row})
    return pd.DataFrame(rows).set_index("run")


def read_references(folders: list[Path]) -> pd.DataFrame:
    """The reference lines of every finished run: dataset, seed, run, line, and ``test_<metric>`` for each."""
    return references_of(read_facts(folders))


def references_of(facts: pd.DataFrame) -> pd.DataFrame:
    """:func:`read_references` of facts that are read already."""
    rows = []
    run: Any
    for run in facts.itertuples():
        for line, each in run.references.items():
            names = {"dataset": run.dataset, "seed": run.seed, "run": run.Index, "line": line}
            rows.append(names | {f"test_{name}": value for name, value in each.items()})
    table = pd.DataFrame(rows)
    return table.astype({name: float for name in table if str(name).startswith("test_")})


def finished_runs(folders: list[Path], required: bool = True) -> list[Path]:
    """Directories of the finished runs below the folders; raises SalutaryError if one is ``required``."""
    # os.walk does not mind directories that a running sweep renames meanwhile.
    finished = {Path(root) for folder in folders for root, _, files in os.walk(folder) if "run.json" in files}
    paths = sorted(path for path in finished if path.suffix != ".partial")
    if required and not paths:
        raise SalutaryError(f"no finished run below {', '.join(map(str, folders))}")
    return paths


def damage(path: Path) -> str:
    """What is wrong with the records of a finished run; empty if nothing is."""
    try:
        read_rounds([path]), read_facts([path])
    except SalutaryError as error:
        return str(error)
    return ""


def last_rounds(rounds: pd.DataFrame) -> pd.DataFrame:
    """The last round of each run."""
    return rounds.sort_values("round").groupby("run", as_index=False).last()


def _of_today(settings: Any) -> Any:
    """Settings of an earlier version with the names that classes have now, so that runs of both compare."""
    if isinstance(settings, dict):
        return {
            name: successor(value) if name == "_target_" else _of_today(value)
            for name, value in settings.items()
        }
    return [_of_today(each) for each in settings] if isinstance(settings, list) else settings
