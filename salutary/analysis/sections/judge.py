"""Networks that label by themselves: which penalty of the surrogate gives labels that help."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from salutary.analysis import paper
from salutary.analysis.curves import datasets_in_order
from salutary.analysis.sections import Records, Section, dataset_name, markdown_table, span
from salutary.analysis.style import by_numbers
from salutary.experiments.runs import last_rounds

TITLE = "Networks that label by themselves"
VARIED = ("model.surrogate_l2", "strategy.estimate", "strategy.judge")
INTRO = """\
A small convolutional network on the first 5,000 + 1,000 images, ten rounds of ten; the penalty of the
surrogate that chooses the labels is fixed, the one that agrees best with the network (`auto`), or the one
of the best trial run (`judge`: a run for each of 30, 100 and 300, chosen by one half of the validation
rows, judged by the other). `random` buys true labels. Changes from the first round to the last, test
part; means over the seeds, and standard errors of the paired differences. "Worse": runs that ended below
their start, and by more than a standard error of an accuracy."""
# Test images, of which an accuracy is a share.
N_TEST = 1000
RANDOM, JUDGE = "random, true labels", "judge"


def section(records: Records) -> Section:
    """Every way beside the others, for each data set, and the penalties that the judge chose."""
    ends = ends_of(records)
    table = compared(ends)
    parts = [INTRO]
    for dataset in datasets_in_order(table.index.unique("dataset")):
        parts += [f"{paper.DATASETS.get(dataset, dataset)}:", markdown_table(texts(table.loc[dataset]))]
    if len(chosen := penalties(ends)):
        parts += ["Penalties that the judge chose, and in how many seeds:", markdown_table(chosen)]
    return Section(TITLE, "\n\n".join(parts), {}, {"judge": table.reset_index()}, brief=brief(table))


def brief(table: pd.DataFrame) -> str:
    """What a network gains by its own labels, judged and not, and by bought ones, on each data set; how many
    of these runs ended below their start.
    """
    texts = []
    for name in datasets_in_order(table.index.unique("dataset")):
        ways = table.loc[name]
        own = ways.drop(index=[RANDOM, JUDGE], errors="ignore")
        said = []
        if JUDGE in ways.index:
            said.append(f"{ways.loc[JUDGE, 'gain']:+.1f} from labels of its own that trial runs judge")
        if len(own):
            said.append(f"{span(own['gain'], '{:+.1f}')} from those that none judges")
        if said and RANDOM in ways.index:
            said.append(f"{ways.loc[RANDOM, 'gain']:+.1f} from true labels of random points")
        if said:
            texts.append(f"{', '.join(said)} on {dataset_name(name)}")
    if not texts:
        return ""
    own = table.drop(index=RANDOM, level="way", errors="ignore")
    return (
        f"a network gains, in points of accuracy, {'; '.join(texts)}; {own['worse'].sum()} of"
        f" {own['seeds'].sum()} runs that label by themselves end below their start."
    )


def ends_of(records: Records) -> pd.DataFrame:
    """One row a run: dataset, seed, way, start, end and gain of accuracy (%), fall of the loss, true labels
    (%).
    """
    settings = records.facts["settings"]
    first = records.rounds[records.rounds["round"] == 0].set_index("run")
    last = last_rounds(records.rounds).set_index("run")
    added = records.rounds.groupby("run")["n_labeled"].diff()
    right = (records.rounds["label_agreement"] * added).groupby(records.rounds["run"]).sum()
    ends = last[["dataset", "seed"]].assign(
        way=[way(settings[run]) for run in last.index],
        start=100 * first["test_accuracy"],
        end=100 * last["test_accuracy"],
        fall=first["test_loss"] - last["test_loss"],
        n_added=last["n_labeled"] - first["n_labeled"],
        l2=last["surrogate_l2"],
    )
    ends["true"] = 100 * right / ends["n_added"].where(ends["n_added"] > 0)
    return ends.assign(gain=ends["end"] - ends["start"]).reset_index(drop=True)


def way(settings: dict) -> str:
    """What distinguishes a run of the experiment, in words."""
    strategy, l2 = settings["strategy"], settings["model"].get("surrogate_l2")
    if "judge" not in strategy:
        return RANDOM
    if strategy["judge"]:
        return JUDGE
    name = f"l2 = {l2}" if l2 == "auto" else f"l2 = {l2:g}"
    estimate = strategy.get("estimate", "gradient")  # salutary_greedy has no other
    return name if estimate == "gradient" else f"{name}, {estimate}"


def compared(ends: pd.DataFrame) -> pd.DataFrame:
    """By dataset and way: means of start, end, fall and true labels, of the gain and of the end beyond that
    of random (points, with standard errors and p-values of paired t-tests), and runs that ended worse.
    """
    bought = ends[ends["way"] == RANDOM].set_index(["dataset", "seed"])["end"]
    rows = {}
    ends = ends.sort_values("way", key=lambda ways: ways.map(_place), kind="stable")
    for (dataset, name), runs in ends.groupby(["dataset", "way"], sort=False):
        beyond = runs.set_index(["dataset", "seed"])["end"] - bought
        error = 100 * np.sqrt(runs["start"] / 100 * (1 - runs["start"] / 100) / N_TEST)
        rows[dataset, name] = {
            "seeds": len(runs),
            **{key: runs[key].mean() for key in ("start", "end", "fall", "true")},
            **_paired(runs["gain"], "gain"),
            **_paired(beyond.dropna(), "beyond random"),
            "worse": int((runs["gain"] < 0).sum()),
            "surely worse": int((runs["gain"] < -error).sum()),
        }
    return pd.DataFrame.from_dict(rows, "index").rename_axis(["dataset", "way"])


def _place(name: str) -> tuple:
    """For sorting ways: bought labels, penalties ascending after auto, trial runs."""
    return name == JUDGE, name != RANDOM, "auto" not in name, by_numbers(name)


def _paired(gaps: pd.Series, name: str) -> dict[str, float]:
    """The mean of paired differences, its standard error and the p-value of a t-test."""
    several = len(gaps) > 1 and gaps.std() > 0
    p = float(stats.ttest_1samp(gaps, 0).pvalue) if several else float("nan")
    return {name: gaps.mean(), f"{name} se": gaps.sem() if several else float("nan"), f"{name} p": p}


def texts(table: pd.DataFrame) -> pd.DataFrame:
    """The comparison of one data set for people."""

    def sure(name: str) -> pd.Series:
        cells = zip(table[name], table[f"{name} se"], table[f"{name} p"], strict=True)
        return pd.Series([_with_error(*cell) for cell in cells], table.index)

    columns = {
        "seeds": table["seeds"].map(str),
        "start, %": table["start"].map("{:.1f}".format),
        "end, %": table["end"].map("{:.1f}".format),
        "gain, points": sure("gain"),
        "beyond random": sure("beyond random").where(table.index != RANDOM, ""),
        "fall of the loss": table["fall"].map("{:+.3f}".format),
        "true labels, %": table["true"].map("{:.0f}".format, na_action="ignore").fillna(""),
        "worse (surely)": table["worse"].map(str) + " (" + table["surely worse"].map(str) + ")",
    }
    return pd.DataFrame(columns).rename_axis("")


def _with_error(mean: float, error: float, p: float) -> str:
    if np.isnan(mean):  # no run to compare with
        return ""
    return f"{mean:+.1f}" if np.isnan(error) else f"{mean:+.1f} ± {error:.1f} (p = {p:.2g})"


def penalties(ends: pd.DataFrame) -> pd.DataFrame:
    """How often the judge chose which penalty; none where no trial run spoke for one."""
    judged = ends[ends["way"] == JUDGE]
    names = judged["l2"].map("{:g}".format).where(judged["n_added"] > 0, "none")
    found = pd.crosstab(judged["dataset"], names).astype(str).rename_axis(index="", columns="")
    return found[sorted(found, key=by_numbers)]
