"""What docs/own_code.md and docs/python.md show runs as it stands, from Python and by the command."""

import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

import salutary

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "own_code.md").read_text()
CODE = dict(re.findall(r"^## (?:A|An) ([\w ]+)\n.*?```python\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE))


@pytest.fixture
def module(tmp_path, monkeypatch, no_new_modules):
    """A function from a part's name to the file that the page shows, in an empty working directory."""
    monkeypatch.chdir(tmp_path)

    def write(part: str) -> str:
        (tmp_path / "my_code.py").write_text(CODE[part])
        return "my_code.py"

    return write


def test_the_page_has_four_parts_of_about_forty_lines():
    assert [*CODE] == ["strategy", "model", "data set", "objective"]
    assert all(30 <= code.count("\n") <= 45 for code in CODE.values())


@pytest.mark.parametrize("part", CODE)
def test_each_runs_as_it_stands(module, capsys, part):
    runpy.run_path(module(part), run_name="__main__")
    shown = {
        "strategy": "4 runs, final test accuracy:",
        "model": "2 runs, final test accuracy:",
        "data set": "Sensors salutary",
        "objective": "val_objective  test_objective  test_figure",
    }
    assert shown[part] in capsys.readouterr().out


COMMANDS = {
    "strategy": ("strategy", "_target_: my_code.Committee\nn_members: 5\n", ["strategy.n_members=3"]),
    "model": ("model", "_target_: my_code.Forest\nn_trees: 50\n", ["strategy=margin", "model.n_trees=5"]),
    "data set": ("dataset", "_target_: my_code.Sensors\npath: sensors\n", ["n_init=40"]),
    "objective": (
        "objective",
        "_target_: my_code.FalseAlarms\npositive: null\nweight: 3\n",
        ["dataset=breast_cancer", "objective.positive=malignant", "strategy=salutary_greedy"],
    ),
}


@pytest.mark.parametrize("part", CODE)
def test_each_is_a_choice_of_the_command(module, salutary_run, tmp_path, part):
    group, yaml, arguments = COMMANDS[part]
    module(part)
    (tmp_path / "my_conf" / group).mkdir(parents=True)
    (tmp_path / "my_conf" / group / "mine.yaml").write_text(yaml)
    if part == "data set":
        X = np.random.default_rng(0).normal(size=(400, 8))
        (tmp_path / "sensors").mkdir()
        np.savetxt(tmp_path / "sensors" / "0.txt", np.column_stack([X, X[:, 0] > 1]))
    words = ("--config-dir", "my_conf", f"{group}=mine", "protocol=standard", "rounds=1")
    status, out, err = salutary_run(*words, *arguments)
    assert status == 0, err
    assert "points added" in out
    sys.modules.pop("my_code", None)


def test_settings_out_of_range_are_one_line(module, salutary_run, tmp_path):
    module("strategy")
    (tmp_path / "my_conf" / "strategy").mkdir(parents=True)
    (tmp_path / "my_conf" / "strategy" / "mine.yaml").write_text(COMMANDS["strategy"][1])
    words = ("--config-dir", "my_conf", "strategy=mine", "strategy.n_members=1")
    status, _, err = salutary_run(*words)
    assert (status, err) == (
        1,
        "salutary-run: strategy.n_members must be a whole number >= 2, not 1",
    )
    sys.modules.pop("my_code", None)


def test_the_objective_has_the_derivatives_of_its_definition(module):
    """By autograd, of the definition itself."""
    import torch

    criterion = runpy.run_path(module("objective"))["FalseAlarms"](positive="b", weight=2.0)
    rng = np.random.default_rng(0)
    X, y = torch.from_numpy(rng.normal(size=(30, 3))), torch.from_numpy(rng.integers(3, size=30))
    objective = criterion.resolved(["a", "b", "c"]).on(X, y, n_classes=3)
    Z = torch.from_numpy(rng.normal(size=(30, 3))).requires_grad_()
    P = torch.softmax(Z, 1)
    wanted = -P.log()[torch.arange(30), y].mean() + 2 * P[y != 1, 1].mean()
    (slope,) = torch.autograd.grad(wanted, Z)
    assert torch.allclose(objective.value_at(Z.detach()), wanted, rtol=1e-12)
    assert torch.allclose(objective.residuals_at(Z.detach()), 30 * slope, rtol=1e-10)


def test_python_page(module, monkeypatch):
    """Its first block, on a smaller table."""
    (code,) = re.findall(r"```python\n(.*?)```", (DOCS / "python.md").read_text(), re.DOTALL)
    run = salutary.run
    monkeypatch.setattr(salutary, "run", lambda *a, **k: run("rounds=1", *a, **k, progress=False))
    exec(code.replace("dataset=bank", "dataset=breast_cancer").replace("range(5)", "range(2)"), {})
    assert Path("bank.pdf").read_bytes().startswith(b"%PDF")
