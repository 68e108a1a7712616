"""The pages of ``salutary-label``: an audit in one HTML file, and the model's card."""

from __future__ import annotations

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure

from salutary.labeling.comparison import NAMES
from salutary.system.pictures import BLACK, BLUE, GREY, VERMILLION, data_uri, small_png

# Rows of a table on the page.
SHOWN = 20
PARTS = {"labeled": "labelled", "validation": "validation", "test": "test", "assigned": "newly labelled"}
CARD = """\
# Model card

Logistic regression (penalty {l2:g}) with its preprocessing, as one scikit-learn pipeline:

```python
import skops.io
from salutary import read_rows

model = skops.io.load("model.skops", trusted=["numpy.dtype"])
model.predict(read_rows("new.csv", model))
```

`read_rows` reads a file as the training rows were read. In a DataFrame of your own, categories have to be
text as in the file, without spaces around it; of values that it does not know the model warns.

- **Predicts** `{target}`: {classes}.
- **Reads** {columns}.
- **Trained on** {n_labeled} labelled rows, and {labels} rows of `{pool}` whose labels were assigned by
salutary
  labelling, without a human: each is the label predicted to lower the loss on {n_validation} validation rows.
  The labels are in `{output}`. They are chosen to move the model; do not take them for the truth.
- **Measured**: {verdict}

{table}

`alternative.skops` is the plain alternative: the same model trained on labelled and validation rows.

**Use it** on rows of the kind of the validation rows. **Do not use it** where the validation rows are not
representative: every label was chosen by them. Categories that the labelled rows lack count as unknown.

Made by salutary {version}.
"""


def page(facts: dict, labels: pd.DataFrame, curves: pd.DataFrame, raw: pd.DataFrame) -> str:
    """The audit page. ``raw``: columns of the labelled pool rows as they stand in the file, for reading."""
    contradicted = labels[labels["label"].astype(str) != labels["prediction"].astype(str)]
    agreement = None
    if "true_label" in labels and labels["true_label"].notna().any():
        known = labels[labels["true_label"].notna()]
        agreement = float((known["label"].astype(str) == known["true_label"]).mean())
    return render(
        "labels.html",
        facts=facts,
        names=NAMES,
        curves=data_uri(small_png(curves_figure(curves, facts))),
        balance=_balance(facts["counts"]),
        largest=_strongest(labels, raw),
        contradicted=_strongest(contradicted, raw),
        n_contradicted=len(contradicted),
        agreement=agreement,
    )


def audit_page(facts: dict, table: pd.DataFrame) -> str:
    """The page of ``audit=true``: the ranked rows, and the labels that are believed least."""
    doubted = table[table["label"] != table["prediction"]].sort_values("probability", kind="stable")
    harmful = table[table["harm"] > 0]
    return render(
        "audit.html", facts=facts, harmful=as_table(harmful[:SHOWN]), doubted=as_table(doubted[:SHOWN])
    )


def render(template: str, **values: object) -> str:
    """A page of salutary/labeling/templates; whatever the data hold is shown as text."""
    loader = PackageLoader("salutary.labeling", "templates")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    return environment.get_template(template).render(**values)


def as_table(frame: pd.DataFrame) -> dict:
    """A frame as the template's macro takes it: numbers of four digits, on the right."""
    numeric = [pd.api.types.is_numeric_dtype(frame[name]) for name in frame]
    columns = [{"name": name, "number": number} for name, number in zip(frame, numeric, strict=True)]
    return {"columns": columns, "rows": [[_cell(value) for value in row] for row in frame.values.tolist()]}


def _cell(value: object) -> str:
    if value is None or value != value:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _strongest(labels: pd.DataFrame, raw: pd.DataFrame) -> dict:
    """The labels of the largest influence, with some columns of their rows."""
    hidden = [name for name in labels if name.startswith("influence_")]
    best = labels["influence"].astype(float).sort_values(ascending=False, kind="stable").index[:SHOWN]
    told = labels.loc[best].drop(columns=[*hidden, "rank"])
    beside = raw.loc[best].rename(columns=lambda name: f"{name} " if name in told else name)
    return as_table(pd.concat([told, beside], axis=1)) if len(best) else {"columns": [], "rows": []}


def _balance(counts: dict[str, dict[str, int]]) -> dict:
    """Rows of each class and their share, in each part."""
    frame = pd.DataFrame(counts)
    shares = {
        f"{PARTS[part]} rows": [f"{n:,} ({100 * n / max(frame[part].sum(), 1):.0f}%)" for n in frame[part]]
        for part in frame
    }
    return as_table(pd.DataFrame({"class": frame.index, **shares}))


def curves_figure(curves: pd.DataFrame, facts: dict) -> Figure:
    """Loss and accuracy against labels added, on rows that chose and rows held out; the alternative."""
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    kept = curves["n_added"][curves["round"] == facts["kept_rounds"]].iloc[0]
    held_out = next((each for each in facts["comparisons"] if "held out" in each["rows"]), None)
    for axes, measure, scale in zip(figure.subplots(1, 2), ("loss", "accuracy"), (1, 100), strict=True):
        axes.plot(curves["n_added"], scale * curves[f"validation_{measure}"], color=BLUE, marker=".")
        ends = [("rows that chose", curves[f"validation_{measure}"], BLUE)]
        if held_out:
            axes.plot(curves["n_added"], scale * curves[f"held_out_{measure}"], color=VERMILLION, marker=".")
            ends.append(("held-out rows", curves[f"held_out_{measure}"], VERMILLION))
            level = scale * held_out["models"]["labeled_and_validation"][measure]
            axes.axhline(level, color=BLACK, linestyle="--", linewidth=1)
        axes.axvline(kept, color=GREY, linewidth=0.8, linestyle=":")
        axes.set_xlabel("labels added")
        axes.set_ylabel("mean loss" if measure == "loss" else "accuracy, %")
        axes.spines[["top", "right"]].set_visible(False)
    handles = [
        *(figure.axes[0].plot([], [], color=color, marker=".", label=name)[0] for name, _, color in ends),
        *(
            [
                figure.axes[0].plot(
                    [], [], color=BLACK, linestyle="--", label="labelled + validation, held out"
                )[0]
            ]
            if held_out
            else []
        ),
        figure.axes[0].plot([], [], color=GREY, linestyle=":", label="labels kept")[0],
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), frameon=False)
    return figure


def card(facts: dict) -> str:
    """The model card, Markdown."""
    columns = facts["columns"]
    named = [*columns["numeric"], *columns["categorical"]]
    comparisons = facts["comparisons"]
    return CARD.format(
        l2=facts["l2"],
        target=columns["target"],
        classes=", ".join(f"`{name}`" for name in facts["classes"]),
        columns=", ".join(f"`{name}`" for name in named),
        n_labeled=sum(facts["counts"]["labeled"].values()),
        n_validation=sum(facts["counts"]["validation"].values()),
        labels=facts["labels"],
        pool=facts["command"]["pool"],
        output=facts["output"],
        verdict=comparisons[0]["verdict"] if comparisons else "nothing was held out; not known.",
        table="\n".join(map(_card_table, comparisons)),
        version=facts["versions"]["salutary"],
    )


def _card_table(comparison: dict) -> str:
    lines = [f"| {comparison['n']} {comparison['rows']} | loss | accuracy |", "|---|---|---|"]
    for name, each in comparison["models"].items():
        lines.append(f"| {NAMES[name]} | {each['loss']:.4f} | {100 * each['accuracy']:.2f}% |")
    return "\n".join(lines) + "\n"
