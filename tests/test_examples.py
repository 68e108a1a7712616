"""The examples run from their first line to their last, and no output is stored in the notebook."""

import json
import re
import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
NOTEBOOKS = [path.name for path in sorted(EXAMPLES.glob("*.ipynb"))]
# What each script prints, as far as it is the same on every machine.
PRINTED = {
    "label_your_pool": (
        r"^\d+ labels in 3 splits, no human asked; \d+ of them are the truth$",
        r"^labelled rows +0\.\d{4} ± 0\.\d{3} +9\d\.\d%$",
        r"^labelled \+ validation rows +0\.\d{4} ± 0\.\d{3} +9\d\.\d%$",
        r"^Lowest mean loss: labelled ",
    ),
    "own_strategy": (
        r"^15 runs, final test accuracy:$",
        r"^(digits)? +TypicalMargin +0\.\d+ +0\.\d+ +5$",
        r"^loss held out, minus that of random on the same splits, with its 95% interval:$",
        r"^ *TypicalMargin +5 +-?0\.\d+ +-?0\.\d+ +-?0\.\d+ +\d +\d +\d$",
    ),
    "find_wrong_labels": (
        r"^  by influence +2\d\.\d are$",
        r"^  by chance +\d\.\d are$",
        r"^  influence +0\.1\d{3} ± 0\.\d{4}$",
        r"^  labels as they are +0\.\d{4} ± 0\.\d{4}$",
    ),
}


def test_there_are_three_scripts_and_a_notebook():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {*PRINTED}
    assert len(NOTEBOOKS) == 1
    readme = (EXAMPLES / "README.md").read_text()
    assert all(f"]({path.name})" in readme for path in EXAMPLES.iterdir() if path.suffix in (".py", ".ipynb"))


@pytest.mark.parametrize("name", PRINTED)
def test_a_script_is_short_and_runs(name, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert len((EXAMPLES / f"{name}.py").read_text().splitlines()) < 60
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    out = capsys.readouterr().out
    for line in PRINTED[name]:
        assert re.search(line, out, re.MULTILINE), (line, out)
    assert not [*tmp_path.iterdir()]  # and leaves nothing behind


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_no_output_is_stored(name):
    """Nor how often a cell ran, nor whose machine it was: what a tool such as nbstripout leaves."""
    notebook = json.loads((EXAMPLES / name).read_text())
    assert {*notebook["metadata"]} <= {"kernelspec", "language_info"}
    for cell in notebook["cells"]:
        assert {*cell["metadata"]} <= {"tags"}
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None


@pytest.mark.filterwarnings("ignore")  # what a kernel's own packages warn of
@pytest.mark.parametrize("few", [True, pytest.param(False, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_runs(name, few, tmp_path, monkeypatch):
    """Each cell: in every run of the tests with fewer splits and rounds."""
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    notebook = nbformat.read(EXAMPLES / name, as_version=4)
    assert len(notebook.cells) == 8
    for whole, part in {"seed=range(5)": "seed=range(2)", "rounds=10": "rounds=2"}.items() if few else ():
        (cell,) = (each for each in notebook.cells if whole in each.source)
        cell.source = cell.source.replace(whole, part)
    client = nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}})
    client.skip_cells_with_tag = "skip-execution"
    client.execute()
    shown = [output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", [])]
    assert any(f"{8 if few else 20} runs" in data.get("text/plain", "") for data in shown)
    assert sum("image/png" in data for data in shown) == 1
    assert (tmp_path / "auroc.pdf").read_bytes().startswith(b"%PDF")
    nbformat.write(notebook, tmp_path / "run.ipynb")
