"""A reviewer's question: why choose at all, if labels are free?"""

from __future__ import annotations

import pandas as pd

from salutary.analysis import paper
from salutary.analysis.comparison import cells, means
from salutary.analysis.curves import datasets_in_order
from salutary.analysis.sections import Records, Section, how_many, markdown_table, named_where
from salutary.analysis.statistics import above, summarise

TITLE = "Label the whole pool at once?"
INTRO = """\
A reviewer asked: if labels cost nothing, why not label all pool points and skip the choosing? Every pool
point gets its salutary label from the initial model, all at once, and the model is trained on all of them;
beside it the same with predicted labels, and iterative selection of 100."""
VERDICT = """\
Labelling everything at once is better than choosing 100 points on {better}, and worse than the initial
model on {worse}. Influence is a derivative: it says which way one point moves the model, and nothing about
thousands at once."""
VARIED = ("budget",)
EVERYTHING = "100%"
NAMES = {
    "initial": "Initial model",
    "salutary all": "Salutary labels for the whole pool at once",
    "self_training all": "Predicted labels for the whole pool at once",
    "salutary": "Salutary, ten rounds of ten",
    "salutary_greedy": "Salutary greedy (ours), up to ten rounds of ten",
    "labeled_and_validation": "Trained on L + V",
    "fully_supervised": "Fully supervised",
}


def section(records: Records) -> Section:
    """Accuracies of labelling everything and of choosing, labels that are true, and where each pays."""
    final = records.final().set_index("run")
    at_once = records.facts["budget"].astype(str) == EVERYTHING
    final["strategy"] = final["strategy"].where(~at_once, final["strategy"] + " all")
    lines = [records.reference(line) for line in ("initial", "labeled_and_validation", "fully_supervised")]
    rows = pd.concat([final, *lines])
    comparison = means(rows)
    table = cells(comparison, NAMES.get).reindex(NAMES.values()).dropna(how="all")
    agreement = summarise(
        final.assign(share=100 * final["label_agreement"]), ["strategy", "dataset"], "share"
    )
    agreement = agreement[agreement["strategy"].str.endswith(" all")]
    text = [
        INTRO,
        markdown_table(table),
        "Share of the labels that are true, when the whole pool is labelled at once:",
        markdown_table(_shares(agreement)),
        verdict(rows),
    ]
    text = "\n\n".join(filter(None, text))
    return Section(TITLE, text, {}, {"label_everything": comparison}, brief=brief(rows))


def _shares(agreement: pd.DataFrame) -> pd.DataFrame:
    wide = agreement.pivot(index="strategy", columns="dataset", values="mean")
    wide = wide[datasets_in_order(agreement["dataset"])].map("{:.0f}%".format, na_action="ignore")
    return wide.rename(index=NAMES, columns=paper.DATASETS).rename_axis(index="", columns="")


def against(rows: pd.DataFrame) -> dict[str, pd.Series]:
    """Flags of tables: where labelling everything is above choosing (``salutary``), and what it is below of
    the initial model and training on L + V; those that there are runs of.
    """
    table = rows.pivot_table("accuracy", "dataset", "strategy")
    if "salutary all" not in table:
        return {}
    everything = table["salutary all"]
    found = {"salutary": above(everything, table["salutary"])} if "salutary" in table else {}
    lines = [name for name in ("initial", "labeled_and_validation") if name in table]
    return found | {name: above(table[name], everything) for name in lines}


def verdict(rows: pd.DataFrame) -> str:
    """On which tables labelling everything pays, and on which it does harm."""
    found = against(rows)
    if not {"salutary", "initial"} <= {*found}:
        return ""
    return VERDICT.format(better=named_where(found["salutary"]), worse=named_where(found["initial"]))


def brief(rows: pd.DataFrame) -> str:
    """What :func:`verdict` counts, and what training on L + V would do."""
    found = {name: flags for name, flags in against(rows).items() if len(flags)}
    texts = {
        "salutary": "more accurate than choosing points round by round on {}",
        "initial": "less accurate than the initial model on {}",
        "labeled_and_validation": "less accurate than training on labelled and validation rows (L + V) on {}",
    }
    said = [text.format(how_many(found[name])) for name, text in texts.items() if name in found]
    return f"giving the whole pool salutary labels at once is {'; '.join(said)}." if said else ""
