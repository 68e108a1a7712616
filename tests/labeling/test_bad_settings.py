"""Settings of ``salutary-label`` that are wrong get one line and leave nothing behind."""

from pathlib import Path

import pytest
import torch
from spoilt_tables import LABEL, check_one_line, left, with_changes

from salutary.labeling import cli

from .labelings import label_settings

pytestmark = pytest.mark.filterwarnings(
    "error::RuntimeWarning", "error::UserWarning", "error::FutureWarning", "error::ResourceWarning"
)

SETTINGS = {
    "no budget": ({"budget": "0"}, r"budget must be a whole number >= 1, not 0"),
    "half a label": ({"budget": "1.5"}, r"budget must be a whole number >= 1, not 1\.5"),
    "no rounds": ({"rounds": "0"}, r"rounds must be a whole number >= 1, not 0"),
    "many rounds": ({"rounds": "many"}, r"rounds must be auto or a whole number >= 1, not 'many'"),
    "one fold": ({"folds": "1"}, r"folds must be 0, for no cross-fitting, or at least 2"),
    "negative folds": ({"folds": "-1"}, r"folds must be a whole number >= 0, not -1"),
    "no patience": ({"patience": "0"}, r"patience must be a whole number >= 1, not 0"),
    "no labels": ({"max_labels": "0"}, r"max_labels must be a whole number >= 1, not 0"),
    "negative influence": ({"min_influence": "-1"}, r"min_influence must be a number in \[0, inf\], not -1"),
    "one file twice": ({"validation": "train.csv"}, r"validation=\S+ is labeled, too: no row may serve"),
    "no shortlist": ({"shortlist": "0"}, r"shortlist must be a whole number >= 1, not 0"),
    "negative seed": ({"seed": "-1"}, r"seed must be a whole number >= 0, not -1"),
    "time": ({"max_seconds": "soon"}, r"max_seconds must be a number in \[0, inf\], not 'soon'"),
    "text as output": ({"output": "labels.txt"}, r"output must end in \.parquet or \.csv, not 'labels\.txt'"),
    "a folder that nothing is written to": (
        {"labeled": "gone.csv", "output": "new/folder/labels.csv"},
        r"there is no gone\.csv",
    ),
    "a file in the way": ({"output": "train.csv/labels.csv"}, r"train\.csv.* (cannot be made|exists)"),
    "long separator": ({"separator": "::"}, r"separator must be one character, not '::'"),
    "a quote as separator": ({"separator": '"'}, r"separator must be one character.* and no quote, not '\"'"),
    "maybe": ({"audit": "maybe"}, r"audit must be true or false, not 'maybe'"),
    "misspelt": ({"budgett": "3"}, r"there is no setting 'budgett', did you mean budget\?; see --help"),
    "of the other command": ({"n_validaton": "3"}, r"no setting 'n_validaton', did you mean validation\?;"),
    "no such strategy": ({"strategy": "salutery"}, r"there is no strategy 'salutery', did you mean salutary"),
    "a human is asked": (
        {"strategy": "margin", "strategy.rerank": None},
        r"only salutary_greedy, salutary and salutary_soft label without a human",
    ),
    "true labels": ({"strategy": "salutary_gt"}, r"salutary_soft label without a human"),
    "other Hessian": ({"strategy": "salutary", "strategy.hessian": "pool"}, r"strategy\.hessian=labeled"),
    "negative confidence": ({"strategy.confidence": "-1"}, r"strategy\.confidence must be auto or a nu"),
    "negative penalty": ({"model.l2": "-1"}, r"model\.l2 must be a positive number, cv or validation, not -"),
    "model": ({"model.l2": "much"}, r"model\.l2 must be a positive number, cv or validation, not 'much'"),
    "lists": ({"numeric": "age"}, r"numeric must be a list of columns such as \[age,city\], not 'age'"),
    "numbers as columns": ({"ignore": "[1,2]"}, r"train\.csv has no column '1'; its columns are key"),
    "a list in a list": ({"ignore": "[[age]]"}, r"ignore must be a list of columns such as \[age,city\], no"),
    "no labelled rows": ({"labeled": "null"}, r"set labeled: a file of labelled rows"),
    "no validation rows": ({"validation": "null"}, r"set validation: a file of validation rows"),
    "no pool to predict": (
        {"pool": "null", "predictions": "p.csv"},
        r"predictions=p\.csv are of the rows of a pool: set pool: a file of rows to label",
    ),
    "predictions of an audit": (
        {"audit": "true", "predictions": "p.csv"},
        r"predictions=p\.csv are of the rows of a pool: there is none with audit=true",
    ),
    "an empty pool": ({"pool": ""}, r"pool must be a file of rows to label, not ''"),
    "predictions as text": ({"predictions": "p.txt"}, r"predictions must end in \.parquet or \.csv, not"),
    "predictions nowhere": ({"predictions": ""}, r"predictions must be the file to write of the pool"),
    "predictions for labels": (
        {"predictions": "labels.csv", "output": "labels.csv"},
        r"predictions=labels\.csv is where output=labels\.csv writes: write elsewhere",
    ),
    "predictions in the folder": (
        {"predictions": "labels/p.csv"},
        r"predictions=labels/p\.csv is where output=labels\.parquet writes: write elsewhere",
    ),
    "predictions above the labels": (
        {"predictions": "p.csv", "output": "p.csv/labels.csv"},
        r"predictions=p\.csv is where output=p\.csv/labels\.csv writes: write elsewhere",
    ),
    "predictions for a pool": (
        {"predictions": "pool.csv"},
        r"predictions=pool\.csv is where pool=pool\.csv is: write elsewhere",
    ),
    "predictions in what is read": (
        {"predictions": "train.csv/p.csv"},
        r"predictions=train\.csv/p\.csv is where labeled=train\.csv is: write elsewhere",
    ),
    "remedies": ({"remedies": "some"}, r"remedies must be true, false or a list of remedies"),
    "lists of remedies": ({"remedies": "[[labeled]]"}, r"remedies must be true, false or a list of"),
    "curves": ({"features": "curves"}, r"features must be linear, splines, nystroem or auto, not 'curves'"),
    "no features": ({"features": "null"}, r"features must be linear, splines, nystroem or auto, not None"),
    "no combination": ({"combine": "null"}, r"combine must be average, best or the name of a model, not"),
    "no target": ({"target": "null"}, r"set target: the column of labels"),
    "empty name": ({"labeled": ""}, r"labeled must be a file of labelled rows, not ''"),
}  # fmt: skip


@pytest.mark.parametrize("case", SETTINGS)
def test_settings(case, salutary, tmp_path):
    settings, message = SETTINGS[case]
    before = left(tmp_path)
    answer = salutary(cli.main, "salutary-label", *with_changes(LABEL, settings))
    check_one_line(answer, "salutary-label", message, tmp_path, before)


@pytest.mark.parametrize(
    "argument, message",
    [
        ("-m", r"-m is no setting: they are written name=value; see --help"),
        ("--force", r"--force is no setting"),
        ("audit", r"audit"),
        ("budget=[", r"\["),
    ],
)
def test_arguments_that_are_no_settings(argument, message, salutary, tmp_path):
    before = left(tmp_path)
    answer = salutary(cli.main, "salutary-label", *with_changes(LABEL, {}), argument)
    check_one_line(answer, "salutary-label", message, tmp_path, before)


@pytest.mark.parametrize("made", [Path.touch, Path.mkdir])
def test_predictions_that_are_there_are_kept(made, salutary, tmp_path):
    made(tmp_path / "p.csv")
    settings, before = with_changes(LABEL, {"predictions": "p.csv"}), left(tmp_path)
    answer = salutary(cli.main, "salutary-label", *settings)
    message = r"p\.csv is there already: force=true replaces it, predictions=\.\.\. writes elsewhere"
    check_one_line(answer, "salutary-label", message, tmp_path, before)
    if made is Path.mkdir:
        answer = salutary(cli.main, "salutary-label", *settings, "force=true")
        message = r"p\.csv is a folder, and no table: predictions=\.\.\. writes elsewhere"
        check_one_line(answer, "salutary-label", message, tmp_path, before)


def test_a_pool_may_be_left_out():
    settings = label_settings(Path(), pool=None)
    assert list(settings.files) == ["labeled", "validation"] and settings.path.name == "labels.parquet"


def test_what_is_there_is_kept(salutary, tmp_path):
    for name in ("labels.parquet", "labels"):
        (tmp_path / name).write_text("mine")
        before = left(tmp_path)
        answer = salutary(cli.main, "salutary-label", *with_changes(LABEL, {}))
        check_one_line(answer, "salutary-label", f"{name} is there already: force=true", tmp_path, before)
        assert (tmp_path / name).read_text() == "mine"
        (tmp_path / name).unlink()


@pytest.mark.parametrize(
    "settings",
    [
        {"labeled": "labels/train.csv"},  # in the folder that is written
        {"output": "train.csv"},
        {"pool": "labels.partial/pool.csv"},
    ],
)
def test_inputs_are_never_replaced(settings, salutary, tmp_path):
    for place in ("labels", "labels.partial"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "train.csv").write_bytes((tmp_path / "train.csv").read_bytes())
        (tmp_path / place / "pool.csv").write_bytes((tmp_path / "pool.csv").read_bytes())
    inputs = {path: path.read_bytes() for path in tmp_path.rglob("*.csv")}
    salutary(cli.main, "salutary-label", *with_changes(LABEL, settings | {"force": "true"}))
    assert {path: path.read_bytes() for path in inputs if path.exists()} == inputs


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_no_cuda_device(salutary, tmp_path):
    before = left(tmp_path)
    answer = salutary(cli.main, "salutary-label", *with_changes(LABEL, {"device": "cuda"}))
    message = r"device=cuda, but PyTorch finds no CUDA device here; use device=cpu"
    check_one_line(answer, "salutary-label", message, tmp_path, before)
