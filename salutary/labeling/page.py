"""The pages of ``salutary-label``, one HTML file each."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from salutary.labeling.audit_scores import LIKELY
from salutary.labeling.comparison import NAMES
from salutary.labeling.pictures import curves_figure, tradeoff_figure
from salutary.labeling.thumbnails import Thumbnail
from salutary.system.html import page_environment
from salutary.system.pictures import data_uri, small_png
from salutary.tables.groups import NO_GROUP, range_numbers
from salutary.tables.texts import as_objects, as_text

# Rows of a table on the page.
SHOWN = 20
# And of the last one, which has all labels.
MOST = 10_000
# Pictures of a label that are shown beside the tables, and of all labels together.
GALLERY = 300
# Points that are asked for.
ASKED = 100
# Of a text that is shown, so many characters.
LONGEST = 300
LONG_NUMBER = re.compile(r"-?\d+\.\d{5,}")
PARTS = {"labeled": "labelled", "validation": "validation", "test": "test", "assigned": "newly labelled"}


def page(
    facts: dict,
    labels: pd.DataFrame,
    curves: pd.DataFrame,
    raw: pd.DataFrame,
    asked: pd.DataFrame | None = None,
) -> str:
    """The audit page. ``raw``: columns of the labelled pool rows as they stand in the file, for reading;
    ``asked``: the points that are asked for, None if none are.
    """
    contradicted = labels[labels["label"].astype(str) != labels["prediction"].astype(str)]
    listed = _by_group(contradicted, raw, facts) if facts["objective"] else _strongest(contradicted, raw)
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
        every=_every(labels, raw),
        contradicted=listed,
        n_contradicted=len(contradicted),
        agreement=agreement,
        tables=_remedies(facts) if facts["handed"] else {},
        tradeoff=_tradeoff(facts),
        what=what_falls(facts),
        gallery=_gallery(labels, raw),
        asked=None if asked is None else as_table(_with_short_numbers(asked, raw)),
    )


def _gallery(labels: pd.DataFrame, raw: pd.DataFrame) -> dict[str, list[Thumbnail]]:
    """The pictures that were labelled, those of the largest influence first, by label."""
    is_picture = [bool(len(raw)) and isinstance(raw[name].iloc[0], Thumbnail) for name in raw]
    if not any(is_picture):
        return {}
    column = raw.iloc[:, is_picture.index(True)]
    best = labels["influence"].astype(float).sort_values(ascending=False, kind="stable").index[:GALLERY]
    found: dict[str, list[Thumbnail]] = {}
    for row in best:
        if column[row].uri:
            found.setdefault(as_text(labels["label"][row]), []).append(column[row])
    return dict(sorted(found.items()))


def page_without_pool(facts: dict) -> str:
    """The page of remedies alone."""
    counts = {part: rows for part, rows in facts["counts"].items() if part != "assigned"}
    tables, shown = _remedies(facts), {"tradeoff": _tradeoff(facts), "what": what_falls(facts)}
    return render("no_pool.html", facts=facts, balance=_balance(counts), tables=tables, **shown)


def what_falls(facts: dict) -> str:
    """The word for what models are judged by."""
    return "objective" if facts["objective"] else "loss"


def _tradeoff(facts: dict) -> str | None:
    """The picture of accuracies and figures, None where there are none."""
    if not facts["objective"] or (facts["handed"] or {}).get("held_out_figure") is None:
        return None
    return data_uri(small_png(tradeoff_figure(facts)))


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
    return [_model(each, what_falls(facts), facts["objective"]) for each in (handed, *ordered)]


def _model(each: dict, falls: str, objective: dict | None) -> dict:
    row = {"model": each["name"], "what it is": each["about"]}
    if objective:
        row["the group is needed"] = each.get("group_in", "")
        row["what it is"] += f" (compared only: {each['compared_only']})" if each.get("compared_only") else ""
    for prefix, what in (("held_out_", "held-out"), ("test_", "test")):
        if f"{prefix}loss" in each:
            loss, error = each[f"{prefix}loss"], each[f"{prefix}standard_error"]
            row |= {f"{what} {falls}": f"{loss:.4f}" + (f" ± {error:.4f}" if error is not None else "")}
            row |= {f"{what} accuracy": f"{100 * each[f'{prefix}accuracy']:.2f}%"}
        if objective and each.get(f"{prefix}figure") is not None:
            figure = f"{each[f'{prefix}figure']:.3f} ± {each[f'{prefix}figure_error']:.3f}"
            row |= {f"{what} {objective['figure'].replace('_', ' ')}": figure}
    return row | {"weight": f"{each['weight']:.0%}"}


def audit_page(facts: dict, table: pd.DataFrame, raw: pd.DataFrame) -> str:
    """The page of ``audit=true``: the labels that are likely wrong, the rows that hurt, and the sources.

    ``raw``: texts and pictures of the rows of ``table``, which are shown beside them.
    """
    wrong = table[table["wrong_probability"] > LIKELY]
    harmful = table[table["harm"] > 0].sort_values("harm", ascending=False, kind="stable")
    shown = {"wrong": _beside(wrong[:SHOWN], raw), "harmful": _beside(harmful[:SHOWN], raw)}
    parts = shown | {"sources": pd.DataFrame(facts["sources"])}
    every = as_table(_without_pictures(_beside(table[:MOST], raw)))
    tables = {name: as_table(part) for name, part in parts.items()}
    return render("audit.html", facts=facts, every=every, **tables)


def render(template: str, **values: object) -> str:
    """A file of salutary/labeling/templates; in a page whatever the data hold is shown as text."""
    if template.endswith(".html"):
        environment = page_environment("salutary.labeling")
    else:
        environment = Environment(loader=PackageLoader("salutary.labeling"), undefined=StrictUndefined)
    return environment.get_template(template).render(**values)


def as_table(frame: pd.DataFrame) -> dict:
    """A frame as the template's macro takes it: numbers of four digits, on the right."""
    numeric = [pd.api.types.is_numeric_dtype(frame[name]) for name in frame]
    columns = [{"name": name, "number": number} for name, number in zip(frame, numeric, strict=True)]
    cells = [as_objects(frame.iloc[:, place]).map(_cell) for place in range(frame.shape[1])]
    return {"columns": columns, "rows": [list(row) for row in zip(*cells, strict=True)]}


def _cell(value: object) -> str | Thumbnail:
    if isinstance(value, Thumbnail):
        return value
    text = as_text(value)
    text = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
    return f"{value:.4g}" if text and isinstance(value, (float, np.floating)) else text


def _strongest(labels: pd.DataFrame, raw: pd.DataFrame) -> dict:
    """The labels of the largest influence, with some columns of their rows."""
    best = _best(labels, SHOWN)
    return as_table(_beside(best, raw)) if len(best) else {"columns": [], "rows": []}


def _every(labels: pd.DataFrame, raw: pd.DataFrame) -> dict:
    """All labels, those of the largest influence first; nothing where the page has them all without."""
    if len(labels) <= SHOWN:
        return {"columns": [], "rows": []}
    return as_table(_without_pictures(_beside(_best(labels, MOST), raw)))


def _best(labels: pd.DataFrame, n: int) -> pd.DataFrame:
    hidden = [name for name in map(str, labels.columns) if name.startswith("influence_")]
    best = labels["influence"].astype(float).sort_values(ascending=False, kind="stable").index[:n]
    return labels.loc[best].drop(columns=[*hidden, "rank"])


def _without_pictures(frame: pd.DataFrame) -> pd.DataFrame:
    """A page holds a picture once: elsewhere its path stands for it."""
    columns = [each for _, each in frame.items()]
    paths = [each.map(str) if len(each) and isinstance(each.iloc[0], Thumbnail) else each for each in columns]
    return pd.concat(paths, axis=1) if paths else frame


def _beside(given: pd.DataFrame, raw: pd.DataFrame) -> pd.DataFrame:
    """Columns as they stand in the file beside those of the labels; of the same names, with a space
    behind.
    """
    shown = raw.loc[given.index].rename(columns=lambda name: f"{name} " if name in given else name)
    return pd.concat([given, shown.map(_shortened)], axis=1)


def _with_short_numbers(asked: pd.DataFrame, raw: pd.DataFrame) -> pd.DataFrame:
    return asked.assign(**{str(name): asked[name].map(_shortened) for name in raw if name in asked})


def _shortened(value: object) -> object:
    """A number of a file, as a text, with as many digits as the page's own numbers have."""
    if isinstance(value, str) and LONG_NUMBER.fullmatch(value):
        return f"{float(value):.4g}"
    return value


def _by_group(labels: pd.DataFrame, raw: pd.DataFrame, facts: dict) -> dict:
    """All of some labels, those of a group together where the pool says which group rows are of."""
    group = facts["command"].get("group")
    shown = raw.loc[labels.index]
    given = labels[["row", "label", "prediction", "probability", "influence", "round"]]
    if group in shown:
        edges = facts["command"]["group_edges"]
        given.insert(0, f"{group} ", ranges(shown[group], edges, facts["groups"]) if edges else shown[group])
        shown = shown if edges else shown.drop(columns=group)
    order = [f"{group} "] if group in raw else []
    together = _beside(given, shown)
    return as_table(together.sort_values([*order, "influence"], ascending=[*([True] * len(order)), False]))


def ranges(values: pd.Series, edges: list[float], names: list[str]) -> list[str]:
    """The groups of numbers that ``edges`` cut, by their names; empty where there is no number."""
    numbers = range_numbers(pd.to_numeric(values, errors="coerce").to_numpy(float), edges)
    return ["" if number == NO_GROUP else names[number] for number in numbers]


def _balance(counts: dict[str, dict[str, int]]) -> dict:
    """Rows of each class and their share, in each part."""
    shares = {}
    for part, rows in counts.items():
        total = max(sum(rows.values()), 1)
        shares[f"{PARTS[part]} rows"] = [f"{n:,} ({100 * n / total:.0f}%)" for n in rows.values()]
    return as_table(pd.DataFrame({"class": list(counts["labeled"]), **shares}))
