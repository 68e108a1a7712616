"""Several ``salutary-label`` on one output: one works, the others say so in a line, and nothing is mixed."""

import os
import signal
import time

import pytest
from processes import status_of

from salutary.labeling import pipeline

from .label_processes import NUMBERS, contents, label_to_the_end, labelling, mistake, said

SHORT = (*NUMBERS, "rounds=2", "folds=0", "pool={}/parts", "predictions=predicted.parquet")


def test_only_one_writes_and_another_goes_on_when_it_is_killed(read, tmp_path):
    folder, expected = tmp_path / "shared", tmp_path / "alone"
    assert label_to_the_end(expected, read, *SHORT) == 0
    first = labelling(folder, read, *SHORT)
    try:
        while not list(folder.glob("labels.partial/round-00000.npz")):
            time.sleep(0.01)
        os.kill(first, signal.SIGSTOP)
        table = "another salutary-label is writing labels"
        assert label_to_the_end(folder, read, *SHORT) == 1
        assert f"{table}.csv" in mistake(folder)
        # Another table, but what is beside it has the same name.
        others = ("output=labels.parquet", "predictions=others.csv", "seed=1")
        assert label_to_the_end(folder, read, *SHORT, *others) == 1
        assert f"{table}.parquet" in mistake(folder)
        assert label_to_the_end(folder, read, *SHORT, "output=others.csv") == 1
        assert "another salutary-label is writing predicted.parquet" in mistake(folder)
        assert not list(folder.glob("others*"))
    finally:
        os.kill(first, signal.SIGKILL)
        status_of(first)
    assert label_to_the_end(folder, read, *SHORT) == 0, said(folder)
    assert contents(folder) == contents(expected)


def test_what_was_written_meanwhile_is_not_replaced(read, tmp_path):
    """Nothing was there at the start, and another command finished before this one had read its tables."""

    def finished_meanwhile():
        before = pipeline.read_inputs

        def later(*arguments):
            (tmp_path / "labels.csv").write_text("mine")
            return before(*arguments)

        pipeline.read_inputs = later

    assert label_to_the_end(tmp_path, read, *SHORT, prepare=finished_meanwhile) == 1
    assert "labels.csv is there already: force=true replaces it" in mistake(tmp_path)
    assert contents(tmp_path) == {"labels.csv": b"mine"}


@pytest.mark.slow
def test_all_at_once(read, tmp_path):
    """Whoever is first does it; the others find it being written, or there."""
    folder, expected = tmp_path / "shared", tmp_path / "alone"
    assert label_to_the_end(expected, read, *SHORT) == 0
    pids = [labelling(folder, read, *SHORT) for _ in range(4)]
    assert sorted(map(status_of, pids)) == [0, 1, 1, 1]
    lines = [line for line in said(folder).splitlines() if line.startswith("salutary-label: ")]
    told = ("another salutary-label is writing", "is there already: force=true replaces it")
    assert len(lines) == 3 and all(any(each in line for each in told) for line in lines)
    assert contents(folder) == contents(expected)
