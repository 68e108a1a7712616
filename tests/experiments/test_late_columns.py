"""Columns that rounds.csv has got since: records without them are read, and interrupted runs go on."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from salutary.experiments.metrics import Metrics
from salutary.experiments.records import ROUND_COLUMNS, Identity, RunDirectory
from salutary.experiments.resume import read_back, read_finished
from salutary.experiments.rounds import Query, Round, row
from salutary.experiments.runs import COLUMNS_OF_0_3, COLUMNS_OF_RECORDS, LATE_COLUMNS, read_rounds

RUN = ("dataset=breast_cancer", "rounds=3", "budget=5")
OF_PROBABILITIES = ("test_auroc", "test_average_precision", "test_brier", "test_ece", "test_kappa")


def shortened(file: Path, columns: tuple[str, ...]) -> None:
    """As a version wrote it that had these columns."""
    with file.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    with file.open("w", newline="") as lines:
        writer = csv.DictWriter(lines, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def run(salutary_run, tmp_path):
    status, _, err = salutary_run(*RUN)
    assert status == 0, err
    (found,) = (path.parent for path in tmp_path.glob("outputs/*/run.json"))
    return found


def test_they_are_the_last_ones_and_hold_numbers(run):
    table = read_rounds([run])
    assert list(table.columns)[-8:] == [*OF_PROBABILITIES, "l2", "fit_iterations", "run"]
    assert table[[*OF_PROBABILITIES, "l2", "fit_iterations"]].notna().all(axis=None)
    assert (table["l2"] == 50).all() and (table["fit_iterations"] >= 1).all()
    facts = json.loads((run / "run.json").read_text())
    for line in facts["references"].values():
        assert {"auroc", "average_precision", "brier", "ece", "kappa"} <= line.keys()
    majority = facts["references"]["majority"]
    assert (majority["auroc"], majority["kappa"], majority["average_precision"]) == (0.5, 0, 0.5)


@pytest.mark.parametrize("lacking", [2, 7, len(LATE_COLUMNS)])
def test_records_that_lack_them_are_read(lacking, run, salutary_run):
    whole, columns = read_rounds([run]), ROUND_COLUMNS[: len(ROUND_COLUMNS) - lacking]
    shortened(run / "rounds.csv", columns)
    older = read_rounds([run])
    assert list(older.columns) == list(whole.columns)
    np.testing.assert_array_equal(older["test_loss"], whole["test_loss"])
    assert older[[*ROUND_COLUMNS[-lacking:]]].isna().all(axis=None)
    assert read_finished(run).rounds[-1].test.auroc == (None if lacking > 6 else whole["test_auroc"].iloc[-1])
    status, out, err = salutary_run(*RUN)
    assert (status, err) == (0, "") and "was finished before" in out


def test_records_of_three_ages_are_read_together(run, tmp_path):
    for name, columns in (("a", COLUMNS_OF_0_3), ("b", ROUND_COLUMNS[: len(COLUMNS_OF_0_3) + 4])):
        other = tmp_path / "outputs" / name
        other.mkdir()
        for file in ("rounds.csv", "run.json"):
            (other / file).write_bytes((run / file).read_bytes())
        shortened(other / "rounds.csv", columns)
    table = read_rounds([tmp_path / "outputs"])
    assert len(table) == 12 and table["test_auroc"].notna().sum() == 4 == table["l2"].notna().sum()
    assert len(COLUMNS_OF_RECORDS) == len(LATE_COLUMNS) + 1


def test_an_interrupted_run_of_before_goes_on(tmp_path):
    """Its rounds stay, with empty cells, and the file gets the columns."""
    metrics = Metrics(0.1, 0.2, 0.3, 0.4)
    full = Metrics(0.1, 0.2, 0.3, 0.4, auroc=0.5, average_precision=0.6, brier=0.7, ece=0.8, kappa=0.9)
    config = {"dataset": {}, "device": {"name": "cpu", "dtype": "float64", "threads": 1}, "seed": 0}

    def opened() -> RunDirectory:
        return RunDirectory(str(tmp_path), Identity("d", "s", "m", "p", 0), config)

    def record(number: int, test: Metrics, **others: object) -> Round:
        queries = (Query(number, 0, 7, "a", "b", "a", None),) if number else ()
        return Round(number, 2 + number, 3, metrics, test, None, 0.5, 0.25, queries, **others)

    with opened() as directory:
        directory.append(record(0, full))
        directory.append(record(1, full))
    shortened(directory.partial / "rounds.csv", ROUND_COLUMNS[: len(COLUMNS_OF_0_3) + 4])
    with opened() as directory:
        done = directory.resume()
        assert [each.round for each in done] == [0, 1] and done[1].test.auroc is None
        directory.append(record(2, full, l2=5.0, fit_iterations=7))
    again = [row(each) for each in read_back(directory.partial)]
    assert again == [*map(row, done), row(record(2, full, l2=5.0, fit_iterations=7))]
    with (directory.partial / "rounds.csv").open(newline="") as lines:
        assert tuple(next(csv.reader(lines))) == ROUND_COLUMNS
