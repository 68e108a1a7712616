"""Reading a run's own files back: what was finished before it was interrupted, or all of it."""

from __future__ import annotations

import csv
import itertools
import json
import os
from pathlib import Path

from salutary.metrics import Metrics
from salutary.rounds import Query, Round


def read_back(folder: Path) -> tuple[Round, ...]:
    """The rounds that ``rounds.csv`` and ``queries.csv`` hold wholly, from round 0 on.

    A run appends a round's queries, then the round. What comes after the last whole round, such as half a
    line, is cut off both files, so that the run can go on writing there.
    """
    queries, query_ends = _rows(folder / "queries.csv")
    rounds, round_ends = _rows(folder / "rounds.csv")
    done: list[Round] = []
    n_labeled = used = 0
    for row in rounds:
        try:
            number, size = int(row["round"]), int(row["n_labeled"])
            wanted = size - n_labeled if done else 0
            own = tuple(_query(each) for each in queries[used : used + wanted])
            record = _round(row, own)
        except (KeyError, TypeError, ValueError):
            break
        if number != len(done) or len(own) != wanted or any(query.round != number for query in own):
            break
        done.append(record)
        n_labeled, used = size, used + wanted
    _cut(folder / "queries.csv", query_ends[used] if query_ends else 0)
    _cut(folder / "rounds.csv", round_ends[len(done)] if round_ends else 0)
    return tuple(done)


def read_references(folder: Path) -> dict[str, Metrics]:
    """The reference lines of a finished run."""
    facts = json.loads((folder / "run.json").read_text())
    return {line: Metrics(**metrics) for line, metrics in facts["references"].items()}


def _rows(file: Path) -> tuple[list[dict], list[int]]:
    """Rows of the whole lines, and where the header and each of them end, in bytes."""
    if not file.exists():
        return [], []
    lines = file.read_bytes().split(b"\n")[:-1]  # what follows the last line break is half a line
    line_ends = [0, *itertools.accumulate(len(line) + 1 for line in lines)]
    reader = csv.DictReader(line.decode(errors="replace") + "\n" for line in lines)
    rows, ends = [], line_ends[1:2]
    for row in reader:
        rows.append(row)
        ends.append(line_ends[reader.line_num])
    return rows, ends


def _cut(file: Path, size: int) -> None:
    if file.exists() and file.stat().st_size > size:
        os.truncate(file, size)


def _query(row: dict[str, str]) -> Query:
    return Query(
        round=int(row["round"]),
        rank=int(row["rank"]),
        sample_id=int(row["sample_id"]),
        assigned_label=row["assigned_label"],
        true_label=row["true_label"],
        predicted_label=row["predicted_label"],
        influence=_number(row["influence"]),
    )


def _round(row: dict[str, str], queries: tuple[Query, ...]) -> Round:
    nan = float("nan")  # shares of the validation set that are not recorded
    return Round(
        round=int(row["round"]),
        n_labeled=int(row["n_labeled"]),
        n_human_labels=int(row["n_human_labels"]),
        validation=Metrics(float(row["val_loss"]), float(row["val_accuracy"]), nan, nan),
        test=Metrics(
            loss=float(row["test_loss"]),
            accuracy=float(row["test_accuracy"]),
            balanced_accuracy=float(row["test_balanced_accuracy"]),
            macro_f1=float(row["test_macro_f1"]),
        ),
        label_agreement=_number(row["label_agreement"]),
        select_seconds=float(row["select_seconds"]),
        fit_seconds=float(row["fit_seconds"]),
        queries=queries,
        stop=row["stop"] or None,
    )


def _number(text: str) -> float | None:
    return float(text) if text else None
