"""The pages of ``salutary-label``: an audit in one HTML file, and the model's card."""

from __future__ import annotations

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from salutary.labeling.audit_scores import LIKELY
from salutary.labeling.comparison import ALTERNATIVE, NAMES
from salutary.system.pictures import BLACK, BLUE, GREY, VERMILLION, data_uri, small_png
from salutary.tables.texts import as_objects, as_text

# Rows of a table on the page.
SHOWN = 20
PARTS = {"labeled": "labelled", "validation": "validation", "test": "test", "assigned": "newly labelled"}
# What is drawn: its factor and its name on the axis.
MEASURES = {"loss": (1, "mean loss"), "accuracy": (100, "accuracy, %")}


def page(facts: dict, labels: pd.DataFrame, curves: pd.DataFrame, raw: pd.DataFrame) -> str:
    """The audit page. ``raw``: columns of the labelled pool rows as they stand in the file, for reading."""
    contradicted = labels[labels["label"].astype(str) != labels["prediction"].astype(str)]
    agreement = None
    if "true_label" in labels and labels["true_label"].notna().any():
        true = labels[labels["true_label"].notna()]
        agreement = float((true["label"].astype(str) == true["true_label"]).mean())
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
        tables=_remedies(facts) if facts["handed"] else {},
    )


def page_without_pool(facts: dict) -> str:
    """The page of remedies alone."""
    counts = {part: rows for part, rows in facts["counts"].items() if part != "assigned"}
    return render("no_pool.html", facts=facts, balance=_balance(counts), tables=_remedies(facts))


def _remedies(facts: dict) -> dict[str, dict]:
    """Tables of the remedies, and of what is wrong with L."""
    found = facts["diagnosis"]
    noise, errors = (np.array(found["noise_matrix"][key]) for key in ("share", "standard_error"))
    cells = [
        [f"{share:.2f} ± {error:.2f}" for share, error in zip(*each, strict=True)]
        for each in zip(noise, errors, strict=True)
    ]
    matrix = pd.DataFrame(cells, columns=[f"given {name}" for name in facts["classes"]])
    matrix.insert(0, "true", facts["classes"])
    shifts = [
        {"rows": " and ".join(each["rows"]), "AUC": each["auc"], "p": each["p_value"]}
        for each in found["shifts"]
    ]
    columns = [
        {"rows": " and ".join(each["rows"]), **_column(column, each["rows"])}
        for each in found["shifts"]
        for column in each["columns"][:SHOWN]
    ]
    frames = {
        "models": pd.DataFrame(_models(facts)),
        "noise": matrix,
        "sources": pd.DataFrame(found["sources"]).rename(columns={"standard_error": "standard error"}),
        "shifts": pd.DataFrame(shifts),
        "columns": pd.DataFrame(columns),
    }
    return {name: as_table(frame) for name, frame in frames.items()}


def _column(column: dict, rows: list[str]) -> dict:
    means = {"mean of the first": column["mean_a"], "of the second": column["mean_b"]}
    return {"column": column["name"], "difference": column["statistic"], "p": column["p_value"], **means}


def _models(facts: dict) -> list[dict]:
    """A row per model, the handed one first, then by held-out loss; none where nothing was held out."""
    handed = {
        "name": f"handed over: {facts['handed']['combine']}",
        "about": "",
        **facts["handed"],
        "weight": 1.0,
    }
    if "held_out_loss" not in handed:
        return []
    ordered = sorted(facts["remedies"], key=lambda each: each["held_out_loss"])
    return [_model(each) for each in (handed, *ordered)]


def _model(each: dict) -> dict:
    row = {"model": each["name"], "what it is": each["about"]}
    for prefix, what in (("held_out_", "held-out"), ("test_", "test")):
        if f"{prefix}loss" in each:
            loss, error = each[f"{prefix}loss"], each[f"{prefix}standard_error"]
            row |= {f"{what} loss": f"{loss:.4f}" + (f" ± {error:.4f}" if error is not None else "")}
            row |= {f"{what} accuracy": f"{100 * each[f'{prefix}accuracy']:.2f}%"}
    return row | {"weight": f"{each['weight']:.0%}"}


def audit_page(facts: dict, table: pd.DataFrame) -> str:
    """The page of ``audit=true``: the labels that are likely wrong, the rows that hurt, and the sources."""
    wrong = table[table["wrong_probability"] > LIKELY]
    harmful = table[table["harm"] > 0].sort_values("harm", ascending=False, kind="stable")
    parts = {"wrong": wrong[:SHOWN], "harmful": harmful[:SHOWN], "sources": pd.DataFrame(facts["sources"])}
    return render("audit.html", facts=facts, **{name: as_table(part) for name, part in parts.items()})


def render(template: str, **values: object) -> str:
    """A file of salutary/labeling/templates; in a page whatever the data hold is shown as text."""
    loader, is_page = PackageLoader("salutary.labeling", "templates"), template.endswith(".html")
    environment = Environment(loader=loader, autoescape=is_page, undefined=StrictUndefined)
    return environment.get_template(template).render(**values)


def as_table(frame: pd.DataFrame) -> dict:
    """A frame as the template's macro takes it: numbers of four digits, on the right."""
    numeric = [pd.api.types.is_numeric_dtype(frame[name]) for name in frame]
    columns = [{"name": name, "number": number} for name, number in zip(frame, numeric, strict=True)]
    cells = [as_objects(frame.iloc[:, place]).map(_cell) for place in range(frame.shape[1])]
    return {"columns": columns, "rows": [list(row) for row in zip(*cells, strict=True)]}


def _cell(value: object) -> str:
    text = as_text(value)
    return f"{value:.4g}" if text and isinstance(value, (float, np.floating)) else text


def _strongest(labels: pd.DataFrame, raw: pd.DataFrame) -> dict:
    """The labels of the largest influence, with some columns of their rows."""
    hidden = [name for name in map(str, labels.columns) if name.startswith("influence_")]
    best = labels["influence"].astype(float).sort_values(ascending=False, kind="stable").index[:SHOWN]
    given = labels.loc[best].drop(columns=[*hidden, "rank"])
    beside = raw.loc[best].rename(columns=lambda name: f"{name} " if name in given else name)
    return as_table(pd.concat([given, beside], axis=1)) if len(best) else {"columns": [], "rows": []}


def _balance(counts: dict[str, dict[str, int]]) -> dict:
    """Rows of each class and their share, in each part."""
    shares = {}
    for part, rows in counts.items():
        total = max(sum(rows.values()), 1)
        shares[f"{PARTS[part]} rows"] = [f"{n:,} ({100 * n / total:.0f}%)" for n in rows.values()]
    return as_table(pd.DataFrame({"class": list(counts["labeled"]), **shares}))


def curves_figure(curves: pd.DataFrame, facts: dict) -> Figure:
    """Loss and accuracy against labels added, on rows that chose and rows held out; the alternative."""
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    for axes, measure in zip(figure.subplots(1, 2), MEASURES, strict=True):
        _draw(axes, measure, curves, facts)
    handles, _ = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), frameon=False)
    return figure


def _draw(axes: Axes, measure: str, curves: pd.DataFrame, facts: dict) -> None:
    scale, name = MEASURES[measure]
    n_added, chose = curves["n_added"], scale * curves[f"validation_{measure}"]
    axes.plot(n_added, chose, color=BLUE, marker=".", label="rows that chose")
    held_out = next((each for each in facts["comparisons"] if "held out" in each["rows"]), None)
    if held_out:
        values = scale * curves[f"held_out_{measure}"]
        axes.plot(n_added, values, color=VERMILLION, marker=".", label="held-out rows")
        level = scale * held_out["models"][ALTERNATIVE][measure]
        label = "labelled + validation, held out"
        axes.axhline(level, color=BLACK, linestyle="--", linewidth=1, label=label)
    kept = n_added[curves["round"] == facts["kept_rounds"]].iloc[0]
    axes.axvline(kept, color=GREY, linewidth=0.8, linestyle=":", label="labels kept")
    axes.set_xlabel("labels added")
    axes.set_ylabel(name)
    axes.spines[["top", "right"]].set_visible(False)


def card(facts: dict) -> str:
    """The model card, Markdown."""
    return render("MODEL_CARD.md", facts=facts, names=NAMES) + "\n"
