"""Tables from records."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from salutary.analysis.comparison import compare, compare_references, markdown, paper_accuracies
from salutary.analysis.runs import last_rounds, read_references, read_rounds
from salutary.errors import SalutaryError

SCRIPT = Path(__file__).parents[1] / "scripts" / "compare_with_paper.py"


def rounds(*accuracies, dataset="bank", strategy="margin"):
    """Two rounds of one run per accuracy."""
    rows = [
        {
            "dataset": dataset,
            "strategy": strategy,
            "run": str(run),
            "round": r,
            "test_accuracy": a - (1 - r) / 5,
        }
        for run, a in enumerate(accuracies)
        for r in (0, 1)
    ]
    return pd.DataFrame(rows)


def test_means_deviations_and_marks():
    near = compare(rounds(0.73, 0.74, 0.75)).iloc[0]
    assert (near["mean"], near["count"]) == (pytest.approx(74.0), 3)
    assert near["std"] == pytest.approx(1.0)
    assert (near["paper_mean"], near["paper_std"]) == (73.84, 1.33)
    assert not near["differs"]
    assert compare(rounds(0.77, 0.78, 0.79)).iloc[0]["differs"]  # 4.2 points, 2 sqrt(1 + 1.33^2) = 3.3
    assert not compare(rounds(0.76, 0.77, 0.78)).iloc[0]["differs"]


def test_markdown_marks_differences_and_knows_strategies_of_ours():
    table = pd.concat([rounds(0.5, 0.6), rounds(0.7, 0.7, strategy="mine")])
    table["run"] = table["run"] + table["strategy"]
    text = markdown(compare(table))
    assert "| margin | 55.0 ± 7.1 (73.8 ± 1.3)* |" in text
    assert "| mine | 70.0 ± 0.0 |" in text


def test_paper_numbers_are_complete():
    table = paper_accuracies()
    assert len(table) == 11 * 7
    assert not table["paper_mean"].isna().any()
    row = table.set_index(["strategy", "dataset"]).loc[("salutary_gt", "electrical")]
    assert row["paper_mean"] == 70.92 and pd.isna(row["paper_std"])


def test_references_are_counted_once_a_seed():
    rows = [
        {"dataset": "bank", "seed": seed, "run": f"{strategy}{seed}", "line": "majority", "test_accuracy": a}
        for strategy in ("margin", "random")
        for seed, a in enumerate((0.8, 0.9))
    ]
    row = compare_references(pd.DataFrame(rows)).iloc[0]
    assert (row["mean"], row["count"]) == (pytest.approx(85.0), 2)
    assert "| majority | 85.0 ± 7.1 |" in markdown(compare_references(pd.DataFrame(rows)))


def test_reads_finished_runs_only(salutary_run, tmp_path):
    salutary_run("-m", "dataset=breast_cancer", "rounds=2", "strategy=margin,random")
    unfinished = tmp_path / "outputs" / "other.partial"
    unfinished.mkdir()
    (unfinished / "run.json").write_text("{}")
    table = last_rounds(read_rounds([tmp_path]))
    assert sorted(table["strategy"]) == ["margin", "random"]
    assert set(table["round"]) == {2}
    lines = {"majority", "initial", "labeled_and_validation", "fully_supervised"}
    assert set(read_references([tmp_path])["line"]) == lines


def test_damaged_records_are_named(salutary_run, tmp_path):
    salutary_run("dataset=breast_cancer", "rounds=0")
    (file,) = tmp_path.rglob("rounds.csv")
    file.write_text(file.read_text().replace("seed", "sed", 1))
    with pytest.raises(SalutaryError, match=r"rounds\.csv does not have the columns"):
        read_rounds([tmp_path])
    file.unlink()
    with pytest.raises(SalutaryError, match=r"rounds\.csv cannot be read"):
        read_rounds([tmp_path])


def test_script(tmp_path):
    empty = subprocess.run([sys.executable, SCRIPT, tmp_path], capture_output=True, text=True)
    assert (empty.returncode, empty.stderr) == (1, f"compare_with_paper: no finished run below {tmp_path}\n")


def test_analysis_does_not_import_torch():
    code = "import sys, salutary.analysis.comparison; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
