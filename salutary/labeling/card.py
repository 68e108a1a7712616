"""The model's card: Markdown below a head in the Hugging Face Hub's schema, whatever names hold."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from pathlib import PurePath

import yaml

from salutary.labeling.comparison import LABELED, MAJORITY, NAMES
from salutary.labeling.page import render, what_falls
from salutary.tables.places import Place

# Of fewer validation rows, or of fewer of a class, the card says that they are few: at 100 rows an accuracy
# of 80% is known to 8 points, and the shares of a class of 20 rows to 20.
FEW_ROWS, FEW_OF_A_CLASS = 100, 20
# What Markdown takes for more than a character within a line; what the backslash takes that from.
SPECIAL = re.compile(r"[\\`*\[\]<>|~&$]|(?<![^\W_])_|_(?![^\W_])")
# Categories and columns that are listed.
LISTED = 20


def card(facts: dict) -> str:
    """The card, by what facts.json says."""
    values = {"facts": facts, "names": NAMES, "what": what_falls(facts), "limits": _limits(facts)}
    tables = {"data": _data(facts), "figures": [*_figures(facts)]}
    body = render("MODEL_CARD.md", code=code, text=text, listed=LISTED, **values, **tables)
    head = yaml.safe_dump(_head(facts), sort_keys=False, allow_unicode=True, width=1000)
    body = re.sub(r"\n{3,}", "\n\n", body).strip()
    return f"---\n{head}---\n\n{body}\n"


def code(value: object) -> str:
    """A name as Markdown's code, that shows as it is; what does not print is escaped as by Python."""
    shown = _printable(value)
    if not shown.strip():
        return f"`{shown!r}`"  # Markdown has no empty code
    fence = "`" * (max(map(len, re.findall("`+", shown)), default=0) + 1)
    space = " " if shown[0] in "` " or shown[-1] in "` " else ""
    return f"{fence}{space}{shown}{space}{fence}"


def cell(value: object) -> str:
    """:func:`code` within a table, whose cells end at every other bar."""
    return code(value).replace("|", "\\|")


def text(value: object) -> str:
    """A sentence that may hold names and values, as Markdown that shows it as it is, on one line."""
    return SPECIAL.sub(r"\\\g<0>", _printable(value))


def _printable(value: object) -> str:
    """As it is, but for line ends, control characters, and marks that turn the direction of writing."""
    return "".join(
        c if c == " " or unicodedata.category(c)[0] not in "CZ" else c.encode("unicode_escape").decode()
        for c in str(value)
    )


def _head(facts: dict) -> dict:
    """What the Hub reads, as :class:`huggingface_hub.ModelCardData` has it."""
    about, task = facts["command"].get("card") or {}, _task(facts)
    head = {
        "license": about.get("license"),
        "language": about.get("language"),
        "library_name": "salutary",
        "pipeline_tag": task,
        "tags": ["salutary", "sklearn", "skops", task],
        "datasets": about.get("datasets"),
    }
    head = {name: value for name, value in head.items() if value}
    results = _results(facts, task)
    if not results:
        return head
    types = dict.fromkeys(metric["type"] for result in results for metric in result["metrics"])
    index = {"name": f"{facts['columns']['target']} of {file_name(facts, 'labeled')}", "results": results}
    return {**head, "metrics": [*types], "model-index": [index]}


def _task(facts: dict) -> str:
    columns = facts["columns"]
    others = columns["numeric"] + columns["categorical"]
    if not others and bool(columns["text"]) != bool(columns["images"]):
        return "text-classification" if columns["text"] else "image-classification"
    return "tabular-classification"


def file_name(facts: dict, name: str) -> str:
    """The last part of a file's name, without its sheet or query and what is beside its rows."""
    return PurePath(Place.of(facts["files"][name]["file"]).file.rstrip()).name


def _results(facts: dict, task: str) -> list[dict]:
    """Of the handed model on held-out validation rows and on test rows, as far as it was measured there."""
    measured = {"validation": _measures(facts, "held_out_"), "test": _measures(facts, "test_")}
    return [
        {
            "task": {"type": task},
            "dataset": {
                "type": (PurePath(file_name(facts, split)).suffix or ".folder")[1:],
                "name": file_name(facts, split) + (", rows held out" if split == "validation" else ""),
                "split": split,
                "args": {"sha256": facts["files"][split]["sha256"]},
            },
            "metrics": metrics,
        }
        for split, metrics in measured.items()
        if metrics
    ]


def _measures(facts: dict, prefix: str) -> list[dict]:
    """The metrics; their errors stand among the ``args``, where the schema has room for them."""
    measures, objective = _handed(facts, prefix), facts["objective"]
    if measures is None:
        return []
    n = {"n": measures["n"]}
    low_high = {"confidence_interval_95": measures["accuracy_interval"]}
    error = {"standard_error": measures["standard_error"]}
    loss = ("objective", objective["name"]) if objective else ("log_loss", "mean log loss")
    metrics = [
        {"type": "accuracy", "value": measures["accuracy"], "name": "accuracy", "args": n | low_high},
        {"type": loss[0], "value": measures["loss"], "name": loss[1], "args": n | error},
    ]
    if objective and measures.get("figure") is not None:
        figure = {"type": objective["figure"], "value": measures["figure"]}
        error = {"standard_error": measures["figure_error"]}
        metrics.append({**figure, "name": objective["figure"].replace("_", " "), "args": n | error})
    return metrics


def _handed(facts: dict, prefix: str) -> dict | None:
    """What was measured of model.skops on held-out or on test rows, None if nothing was."""
    handed = facts["handed"]
    if handed:
        found = {
            name.removeprefix(prefix): value for name, value in handed.items() if name.startswith(prefix)
        }
        return found or None
    for comparison in facts["comparisons"]:
        if comparison["rows"].startswith("test") == (prefix == "test_"):
            return {**comparison["models"][LABELED], "n": comparison["n"]}
    return None


def _limits(facts: dict) -> list[str]:
    """Sentences of Markdown, each of what is known."""
    limits = _of_validation(facts)
    warnings = [each["majority_warning"] for each in facts["comparisons"][:1]]
    limits += [text(each) for each in ([facts["handed"]["warning"]] if facts["handed"] else warnings) if each]
    if facts["handed"]:
        limits.append(f"**The labelled rows**: {text(facts['diagnosis']['sentence'])}")
    limits += _of_new_rows(facts)
    if not facts["groups"]:
        limits.append(
            "No groups of rows, such as of people, were told apart: how it does for each is not known."
        )
    return limits


def _of_validation(facts: dict) -> list[str]:
    counts = facts["counts"]["validation"]
    n, (rarest, least) = sum(counts.values()), min(counts.items(), key=lambda item: item[1])
    few = " That is few." if n < FEW_ROWS or least < FEW_OF_A_CLASS else ""
    limits = [f"{n:,} validation rows chose and measured it, {least:,} of them of class {code(rarest)}.{few}"]
    measures = _handed(facts, "held_out_")
    if measures is None:
        return [*limits, "Nothing was held out: how good it is, is not known."]
    low, high = (100 * each for each in measures["accuracy_interval"])
    return [*limits, f"Their number leaves open whether the accuracy is {low:.1f}% or {high:.1f}%."]


def _of_new_rows(facts: dict) -> list[str]:
    """What is known of rows that are unlike those it was fitted to."""
    linear, kind = facts["l2"] is not None, facts["columns"]["map"]["kind"]
    ways = ["log-odds of linear models go on in straight lines"] if linear else []
    ways += ["curves of splines stay level"] if linear and kind == "splines" else []
    ways += ["trees say what they say of the outermost rows"] if facts["holds_trees"] else []
    limits = ["Categories that the labelled rows lack count as unknown."]
    for place, unseen in facts["columns"]["unseen_categories"].items():
        for column, n in [*unseen.items()][:LISTED]:
            rows = "row" if n == 1 else "rows"
            limits.append(f"Of {place} rows, {n:,} {rows} had such a category in column {code(column)}.")
    if ways and facts["columns"]["numeric"]:
        limits.append(f"Outside the range of the numbers that it was fitted to, {' and '.join(ways)}.")
    return limits


def _data(facts: dict) -> str:
    """A row per file: what it is for, where and which it was, its rows, and those of each class."""
    rows = []
    for part, file in facts["files"].items():
        several = f" ({file['files']:,} files)" if file["files"] != 1 else ""
        counts = [*facts["counts"].get(part, {}).values()]
        n = sum(counts) if counts else facts["pool_rows"] if part == "pool" else facts["answers"]
        sha256 = f"`{file['sha256']}`" if file["sha256"] else "none was made"
        shown = [f"{each:,}" for each in counts] or [""] * len(facts["classes"])
        rows.append([part, cell(file["file"]) + several, f"{n:,}", *shown, sha256])
    return _table(["part", "file", "rows", *map(cell, facts["classes"]), "SHA-256"], rows)


def _figures(facts: dict) -> Iterator[str]:
    """A table for held-out and for test rows, as far as there are any, of every model."""
    objective, handed, what = facts["objective"], facts["handed"], what_falls(facts)
    columns = [what, "accuracy, 95% interval"]
    if not handed:
        for found in facts["comparisons"]:
            rows = [[NAMES[name], *_cells(each, "", None)] for name, each in found["models"].items()]
            yield _table([f"{found['n']:,} {found['rows']}", *columns], rows)
        return
    columns += [objective["figure"].replace("_", " ")] if objective else []
    for prefix, rows_are in (("held_out_", "validation rows, held out"), ("test_", "test rows")):
        if f"{prefix}loss" not in handed:
            continue
        head = [
            f"{handed[f'{prefix}n']:,} {rows_are}",
            "weight",
            prefix.startswith("held") * "held-out " + what,
        ]
        rows = [["**handed over**", "", *_cells(handed, prefix, objective)]]
        for each in facts["remedies"]:
            rows.append([cell(each["name"]), f"{each['weight']:.0%}", *_cells(each, prefix, objective)])
        if prefix == "held_out_":
            rows.append([NAMES[MAJORITY], "", *_cells(handed["majority"], "", None), *[""] * bool(objective)])
        yield _table([*head, *columns[1:]], rows)


def _cells(measures: dict, prefix: str, objective: dict | None) -> list[str]:
    """Loss and accuracy, and of an ``objective`` the figure."""
    low, high = (100 * each for each in measures[f"{prefix}accuracy_interval"])
    accuracy = f"{100 * measures[f'{prefix}accuracy']:.2f}% ({low:.1f} to {high:.1f})"
    cells = [_with_error(measures[f"{prefix}loss"], measures[f"{prefix}standard_error"], 4), accuracy]
    if objective:
        figure = measures.get(f"{prefix}figure")
        cells.append("" if figure is None else _with_error(figure, measures[f"{prefix}figure_error"], 3))
    return cells


def _with_error(value: float, error: float | None, digits: int) -> str:
    return f"{value:.{digits}f}" + ("" if error is None else f" ± {error:.{digits}f}")


def _table(head: list[str], rows: list[list[str]]) -> str:
    """Of cells that are Markdown already."""
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])
