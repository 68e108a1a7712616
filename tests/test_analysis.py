"""Tables from records."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_1samp

from salutary.analysis import confidence
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


# -- the study of confidence ---------------------------------------------------------------------------


def study():
    """Two tables, two sizes, six seeds: ours is 0.02 below the initial model on bank, 0.01 above on wine."""
    rows = []
    for seed in range(6):
        for dataset, change in {"bank": -0.02, "wine": 0.01}.items():
            for n in (50, np.inf):
                cell = {"protocol": "standard", "dataset": dataset, "n_validation": n, "seed": seed}
                noise = seed * 1e-4
                losses = {"initial": 1.0, "L + V": 0.9, "salutary": 1.0 + 2 * change, "greedy 2": 0.99}
                losses |= {"greedy 0": 0.99, "greedy 0.5": 0.99, "greedy 1": 1.0 + change + noise}
                losses["greedy auto"] = losses["greedy 1"]
                if n == np.inf:
                    losses["margin"] = 0.95
                rows += [
                    {**cell, "method": method, "test_loss": loss, "test_accuracy": 0.5, "added": 10}
                    for method, loss in losses.items()
                ]
    return pd.DataFrame(rows)


def test_cells_of_the_study():
    table = confidence.cells(study())
    assert len(table) == 4
    bank = table.loc["standard", "bank", 50]
    assert bank["greedy 1"] == pytest.approx(-0.02 + 2.5e-4)
    assert bank["margin"] == pytest.approx(-0.05)  # knows no n_validation
    assert bank["standard error"] == pytest.approx(np.std(np.arange(6) * 1e-4, ddof=1) / 6**0.5)
    assert bank["picks"] == 10
    differences = -0.02 + np.arange(6) * 1e-4
    assert bank["p against initial"] == pytest.approx(4 * ttest_1samp(differences, 0).pvalue)  # of four cells
    found = confidence.verdict(table)["standard"]
    assert found["worse than initial by more than one se"] == 2
    assert found["better than salutary"] == "2 (2 sure)"
    assert found["worse than L + V"] == "4 (4 sure)"
    text = confidence.markdown_cells(table, "standard").splitlines()
    assert text[2] == "| bank | 50 | **-100** | -40 | -10 | -10 | -20 | -10 | -50 | 10 |"
    assert len(text) == 6
    higher = confidence.markdown_cells(table, "standard", "{:+.1f}", -1e-2).splitlines()
    assert higher[2].startswith("| bank | 50 | -10.0 | -4.0 | **-1.0** |")


def test_study_of_default_runs(salutary_run, tmp_path):
    command = ["-m", "dataset=breast_cancer", "rounds=1", "seed=0,1"]
    assert salutary_run(*command, "strategy=salutary_greedy")[0] == 0
    with pytest.raises(SalutaryError, match="needs runs of salutary"):
        confidence.read_study([tmp_path / "outputs"])
    assert salutary_run(*command, "strategy=salutary")[0] == 0
    table = confidence.cells(confidence.read_study([tmp_path / "outputs"]))
    assert {"greedy auto", "salutary", "L + V"} <= set(table)


def test_holm():
    corrected = confidence.holm(pd.Series([0.01, 0.04, 0.03, 0.005]))
    assert corrected.tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_study_reads_records(salutary_run, tmp_path):
    command = ["-m", "dataset=breast_cancer", "rounds=2", "seed=0,1", "n_validation=40,null"]
    assert salutary_run(*command, "strategy=salutary_greedy", "strategy.confidence=0,1")[0] == 0
    assert salutary_run(*command, "strategy=salutary")[0] == 0
    found = confidence.read_study([tmp_path / "outputs"])
    assert set(found["method"]) == {"initial", "L + V", "salutary", "greedy 0", "greedy 1", "greedy auto"}
    assert len(found) == 2 * 2 * 5 + 2  # auto is greedy 1 where all validation rows are used
    picks = found[found["method"] == "greedy 0"]
    assert set(picks["n_validation"]) == {40, np.inf} and (picks["added"] == 20).all()
    assert found[found["method"] == "initial"].groupby("seed")["test_loss"].nunique().eq(1).all()
