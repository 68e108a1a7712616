"""Reading a run's own files back: what was finished before it was interrupted, or all of it."""

from __future__ import annotations

import csv
import itertools
import json
import os
from dataclasses import dataclass
from pathlib import Path

from salutary.errors import SalutaryError
from salutary.experiments.metrics import HeldOut, Metrics
from salutary.experiments.rounds import Round, parsed, parsed_query


@dataclass(frozen=True)
class Finished:
    """The whole record of a run: rounds, reference lines, and what else run.json holds."""

    rounds: tuple[Round, ...]
    references: dict[str, Metrics]
    facts: dict

    @property
    def held_out(self) -> HeldOut | None:
        """What own labels did on validation rows that did not choose them, if that was measured."""
        found = self.facts.get("held_out")
        return HeldOut(**found) if found else None


def read_finished(folder: Path) -> Finished:
    """The record of a finished run; raises SalutaryError if it is damaged."""
    try:
        facts = json.loads((folder / "run.json").read_text())
        references = {line: Metrics(**metrics) for line, metrics in facts["references"].items()}
        rounds, _ = _whole_rounds(folder)
        if rounds and {"seconds", "same_strategies"} <= facts.keys():
            return Finished(rounds, references, facts)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    raise SalutaryError(f"the record in {folder} is damaged; force=true runs it again")


def read_back(folder: Path) -> tuple[Round, ...]:
    """The rounds that the files of an interrupted run hold wholly, from round 0 on.

    A run appends a round's queries, then the round. What comes after the last whole round, such as half a
    line, is cut off both files, so that the run can go on writing there.
    """
    done, sizes = _whole_rounds(folder)
    for name, size in sizes.items():
        file = folder / name
        if file.exists() and file.stat().st_size > size:
            os.truncate(file, size)
    return done


def _whole_rounds(folder: Path) -> tuple[tuple[Round, ...], dict[str, int]]:
    """The whole rounds, and the bytes of each file that they take up."""
    queries, query_ends = _rows(folder / "queries.csv")
    rounds, round_ends = _rows(folder / "rounds.csv")
    done: list[Round] = []
    n_labeled = used = 0
    for row in rounds:
        try:
            number, size = int(row["round"]), int(row["n_labeled"])
            n_added = size - n_labeled if done else 0
            own = tuple(parsed_query(each) for each in queries[used : used + n_added])
            record = parsed(Round, row, queries=own)
        except (KeyError, TypeError, ValueError):
            break
        if number != len(done) or len(own) != n_added or any(query.round != number for query in own):
            break
        done.append(record)
        n_labeled, used = size, used + n_added
    query_size = query_ends[used] if query_ends else 0
    return tuple(done), {
        "queries.csv": query_size,
        "rounds.csv": round_ends[len(done)] if round_ends else 0,
    }


def read_rows(file: Path) -> list[dict]:
    """The whole rows of a table that a run has written, none if there is no such file."""
    return _rows(file)[0]


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
