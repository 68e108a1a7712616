"""What a run keeps for who has to believe it: rows of all parts, predictions, and what was told meanwhile."""

import csv
import json
import logging
import re

import numpy as np
import pandas as pd
import pytest
import torch

from salutary.experiments import predicted, recorder, run_log
from salutary.experiments.metrics import Metrics, score
from salutary.experiments.records import Identity, RunDirectory
from salutary.experiments.resume import read_finished
from salutary.experiments.rounds import Round
from salutary.experiments.split import Split
from salutary.experiments.split_file import packed, read_split

RUN = ("dataset=breast_cancer", "rounds=3", "budget=5", "strategy=margin")
WITH = (*RUN, "record.predictions=true")


def finished(folder):
    (found,) = (path.parent for path in folder.glob("outputs/*/run.json"))
    return found


@pytest.fixture
def run(salutary_run, tmp_path):
    """A function from overrides to the directory of the run."""

    def run(*overrides):
        status, _, err = salutary_run(*overrides)
        assert status == 0, err
        return finished(tmp_path)

    return run


class TestSplit:
    def test_parts_come_back(self, tmp_path):
        rng = np.random.default_rng(0)
        rows = rng.permutation(100)
        parts = rows[:10], rows[10:50], rows[50:70], rows[70:90], rows[:50], rows[:0]
        split = Split(*parts).with_validation_as_labels()
        file = tmp_path / "split.npz"
        file.write_bytes(packed(split, 100))
        assert file.read_bytes() == packed(split, 100)
        found = read_split(file)
        for name, part in vars(split).items():
            np.testing.assert_array_equal(getattr(found, name), np.sort(part))

    def test_it_is_that_of_the_run(self, run, tmp_path):
        folder = run(*RUN, "baselines_use_validation=true")
        split = read_split(folder / "split.npz")
        assert split.validation_is_labeled and set(split.validation) < set(split.initial)
        facts = read_finished(folder)
        assert len(split.initial) == facts.rounds[0].n_labeled
        queried = {query.sample_id for record in facts.rounds for query in record.queries}
        assert len(queried) == 15 and queried <= set(split.pool)
        parts = [*map(set, (split.initial, split.pool, split.test))]
        assert sum(map(len, parts)) == len(set.union(*parts)) == facts.facts["data_shape"][0]
        assert {*split.training} <= parts[0] | parts[1] and not {*split.training} & parts[2]

    def test_it_is_small(self):
        n = 40_000
        rows = np.random.default_rng(0).permutation(n)
        split = Split(rows[:300], rows[300:24_000], rows[24_000:32_000], rows[32_000:], rows[:24_000], rows)
        assert len(packed(split, n)) < n


class TestPredictions:
    def test_metrics_follow_from_them(self, run):
        pytest.importorskip("pyarrow")
        folder = run(*WITH)
        table = pd.read_parquet(folder / "predictions.parquet")
        classes = ("malignant", "benign")
        assert list(table) == ["round", "row", "true_label", *(f"probability_{name}" for name in classes)]
        assert list(table["round"].unique()) == [0, 3]
        record = read_finished(folder)
        for number, rows in table.groupby("round"):
            assert {*rows["row"]} == {*read_split(folder / "split.npz").test}
            P, y = np.array(rows.iloc[:, 3:], order="C"), (rows["true_label"] == "benign").to_numpy(int)
            assert score(torch.as_tensor(P), torch.as_tensor(y)) == record.rounds[number].test

    def test_they_are_not_part_of_the_name_and_not_there_unasked(self, run, salutary_run):
        folder = run(*RUN)
        assert not (folder / "predictions.parquet").exists()
        status, out, _ = salutary_run(*WITH)
        assert status == 0 and "was finished before" in out
        again = run(*WITH, "force=true")
        assert again == folder and (folder / "predictions.parquet").exists()
        assert "record" not in json.loads((folder / "run.json").read_text())["settings"]

    def test_without_pyarrow_it_is_one_line_before_the_run(self, salutary_run, tmp_path, monkeypatch):
        monkeypatch.setattr(predicted, "find_spec", lambda name: None)
        status, _, err = salutary_run(*WITH)
        assert status == 1 and not (tmp_path / "outputs").exists()
        told = "salutary-run: record.predictions=true needs PyArrow: pip install 'salutary[parquet]'"
        assert err.strip() == told

    def test_a_word_that_is_no_answer(self, salutary_run):
        status, _, err = salutary_run(*RUN, "record.predictions=maybe")
        assert status == 1 and "record.predictions must be true or false, not 'maybe'" in err

    @pytest.mark.parametrize("last", [0, 1, 2, 3])
    def test_an_interrupted_run_has_the_same(self, last, run, salutary_run, tmp_path, monkeypatch):
        whole = (run(*WITH) / "predictions.parquet").read_bytes()
        (folder,) = tmp_path.glob("outputs/*")
        interrupted_after(last, salutary_run, monkeypatch, *WITH, "force=true")
        assert (run(*WITH, "force=false") / "predictions.parquet").read_bytes() == whole
        assert "starts over" not in (folder / "run.log").read_text()

    def test_a_run_that_did_not_want_them_starts_over(self, run, salutary_run, monkeypatch, tmp_path):
        interrupted_after(2, salutary_run, monkeypatch, *RUN)
        folder = run(*WITH)
        assert {*pd.read_parquet(folder / "predictions.parquet")["round"]} == {0, 3}
        assert "starts over: its predictions were not recorded" in (folder / "run.log").read_text()

    def test_nor_are_those_left_that_are_not_wanted_any_more(self, run, salutary_run, monkeypatch):
        interrupted_after(1, salutary_run, monkeypatch, *WITH)
        assert not (run(*RUN) / "predictions.parquet").exists()


def interrupted_after(number, salutary_run, monkeypatch, *overrides):
    """A run that ends as soon as it has written a round."""
    append = RunDirectory.append

    def append_and_stop(self, record):
        append(self, record)
        if record.round == number:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(RunDirectory, "append", append_and_stop)
        assert salutary_run(*overrides)[0] == 130


class TestLog:
    TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}"

    def lines(self, folder):
        found = (folder / "run.log").read_text().splitlines()
        assert all(re.match(rf"{self.TIME} (INFO|WARNING|ERROR) .", line) for line in found)
        return [line.split(" ", 2)[2] for line in found]

    def test_a_line_for_each_round(self, run):
        folder = run(*RUN)
        lines = self.lines(folder)
        assert lines[0].startswith(folder.name) and lines[1] == "starts" and lines[-1].startswith("done in ")
        last = read_finished(folder).rounds[-1].test
        (line,) = (each for each in lines if each.startswith("round 3: "))
        accuracy, loss = f"test accuracy {last.accuracy:.4f}", f"test loss {last.loss:.4f}"
        assert line.startswith(f"round 3: 55 labelled, {accuracy}, {loss}; ")
        assert sum(each.startswith("round ") for each in lines) == 4

    def test_an_interrupted_run_goes_on_in_it(self, run, salutary_run, monkeypatch):
        interrupted_after(1, salutary_run, monkeypatch, *RUN)
        lines = self.lines(run(*RUN))
        assert "ended by KeyboardInterrupt" in lines and "goes on after round 1" in lines
        assert [each.split(":")[0] for each in lines if each.startswith("round ")] == [
            f"round {number}" for number in (0, 2, 3)
        ]

    @pytest.mark.parametrize("sweeps", [True, False])
    def test_what_is_told_is_in_it_whether_or_not_it_is_shown(self, sweeps, salutary_run, tmp_path):
        arguments = ("dataset=breast_cancer", "model=fixmatch", "model.l2=1", "model.steps=20", "rounds=1")
        arguments += ("strategy=margin",)
        status, out, err = salutary_run(*(["-m", "seed=range(2)"] if sweeps else []), *arguments)
        assert status == 0, err
        told = "of unlabelled rows above the threshold"
        assert (told in out) == (not sweeps)
        folders = [path.parent for path in tmp_path.glob("outputs/*/run.json")]
        assert len(folders) == 1 + sweeps
        for folder in folders:
            lines = self.lines(folder)
            assert sum(told in each for each in lines) >= 2
            assert sum(each.startswith("round 0") for each in lines) == 1

    def test_a_run_that_fails_in_a_sweep_says_so(self, salutary_run, tmp_path, monkeypatch):
        def fails(self, record, model):
            self.directory.append(record)
            raise ValueError("no good")

        monkeypatch.setattr(recorder.Recorder, "add", fails)
        salutary_run("-m", "seed=1", *RUN)
        (folder,) = tmp_path.glob("outputs/*.partial")
        assert self.lines(folder)[-1] == "ended by ValueError: no good"

    def test_other_handlers_show_what_they_did(self, tmp_path, capsys):
        """Warnings come to the standard error where nobody set anything up, and nothing else does."""
        logger, root = logging.getLogger("salutary.test"), logging.getLogger()
        before, level = root.handlers[:], root.level
        root.handlers, root.level = [], logging.WARNING
        try:
            with run_log.logged(tmp_path) as log:
                log.begin()
                logger.info("quiet")
                logger.warning("loud")
            logger.info("afterwards")
            assert root.handlers == []
        finally:
            root.handlers, root.level = before, level
        assert capsys.readouterr().err == "loud\n"
        assert self.lines(tmp_path) == ["quiet", "loud"]


def test_what_is_not_a_number_is_an_empty_cell(tmp_path):
    config = {"dataset": {}, "device": {"name": "cpu", "dtype": "float64", "threads": 1}, "seed": 0}
    nothing = Metrics(0.1, 0.2, 0.3, 0.4, auroc=float("nan"), kappa=float("nan"), ece=0.5)
    assert nothing.facts["auroc"] is None and nothing.facts["ece"] == 0.5
    with RunDirectory(str(tmp_path), Identity("d", "s", "m", "p", 0), config) as directory:
        directory.append(Round(0, 2, 3, nothing, nothing, None, 0.5, 0.25, ()))
    with (directory.partial / "rounds.csv").open(newline="") as lines:
        (found,) = csv.DictReader(lines)
    assert (found["test_auroc"], found["test_kappa"], found["test_ece"]) == ("", "", "0.5")
