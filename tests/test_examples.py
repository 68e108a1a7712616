"""The notebooks run from their first cell to their last, and no output is stored in them."""

from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.filterwarnings("ignore")  # what a kernel's own packages warn of
@pytest.mark.parametrize("name", [path.name for path in sorted(EXAMPLES.glob("*.ipynb"))])
def test_a_notebook_runs(name, tmp_path, monkeypatch):
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    notebook = nbformat.read(EXAMPLES / name, as_version=4)
    assert len(notebook.cells) == 8
    assert not any(cell.get("outputs") for cell in notebook.cells)
    client = nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}})
    client.skip_cells_with_tag = "skip-execution"
    client.execute()
    shown = [output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", [])]
    assert any("20 runs" in data.get("text/plain", "") for data in shown)
    assert sum("image/png" in data for data in shown) == 1
    assert (tmp_path / "auroc.pdf").read_bytes().startswith(b"%PDF")
    nbformat.write(notebook, tmp_path / "run.ipynb")
