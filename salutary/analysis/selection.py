"""Some of the runs (``where=``), what they are called (``group_by=``), and their values by a metric."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from salutary.analysis.sections import Records
from salutary.analysis.told_apart import strategy_names
from salutary.errors import SalutaryError
from salutary.experiments.collect import flattened

QUOTED = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|`[^`]*`"
ASSIGNED = re.compile(r"(?<![=!<>])=(?!=)")
DOTTED = r"[A-Za-z_]\w*(?:\.\w+)+"
# Of facts, those that a condition may name.
FACTS = (
    *("dataset", "strategy", "model", "protocol", "seed", "objective", "figure", "higher_is_better"),
    *("seconds", "device"),
)


def chosen(records: Records, where: str | None) -> Records:
    """The records of the runs for which the expression ``where`` holds, a pandas query on
    :func:`columns`; dotted names need no backticks.

    Raises SalutaryError for what is no such expression, and where no run is left.
    """
    if where is None:
        return records
    table = columns(records.facts)
    try:
        holds = table.eval(_quoted(where, table), engine="python", local_dict={}, global_dict={})
    except Exception as error:  # whatever Python and pandas raise of an expression
        reason = " ".join(str(error).split()) or type(error).__name__
        raise SalutaryError(f"where={where}: {reason}{_hint(where)}; names: {_names(table)}") from error
    if not isinstance(holds, pd.Series) or not pd.api.types.is_bool_dtype(holds):
        raise SalutaryError(f"where={where}: no condition that a run meets or not{_hint(where)}")
    if not holds.any():
        raise SalutaryError(f"where={where}: none of {len(table)} runs")
    return records.of(table.index[holds.fillna(False)])


def columns(facts: pd.DataFrame) -> pd.DataFrame:
    """A row per run: its names, seed, objective, seconds, and every setting, as ``model.l2``."""
    settings = pd.DataFrame([flattened(each) for each in facts["settings"]], index=facts.index)
    names = [name for name in FACTS if name in facts]
    return facts[names].join(settings.drop(columns=names, errors="ignore"))


def _quoted(where: str, table: pd.DataFrame) -> str:
    """With backticks around dotted names that are there, but for what is in quotes."""

    def quote(match: re.Match) -> str:
        text = match[0]
        return f"`{text}`" if text in table and text[0] not in "'\"`" else text

    return re.sub(rf"{QUOTED}|{DOTTED}", quote, where)


def _hint(where: str) -> str:
    """Where something is set equal."""
    return " (equal is ==)" if ASSIGNED.search(re.sub(QUOTED, "", where)) else ""


def _names(table: pd.DataFrame) -> str:
    """Those that tell runs apart, and the others' number."""
    telling = [name for name in table if table[name].astype(str).nunique() > 1]
    others = len(table.columns) - len(telling)
    return f"{', '.join(telling) or 'none that differs'} (and {others} that are the same in all runs)"


def named(records: Records, group_by: tuple[str, ...] = ()) -> pd.Series:
    """What each run is called: its strategy, with the settings that tell runs of it apart, and those of
    ``group_by``. Raises SalutaryError for a setting that no run has.
    """
    table = columns(records.facts)
    for name in group_by:
        if name in ("dataset", "strategy", "model", "protocol", "seed"):
            raise SalutaryError(f"group_by={name}: runs are told apart by it anyway")
        if name not in table:
            settings = [each for each in table if each not in FACTS]
            near = [each for each in settings if each.rpartition(".")[2] == name.rpartition(".")[2]]
            hint = f"did you mean {' or '.join(near)}?" if near else f"settings: {', '.join(settings)}"
            raise SalutaryError(f"group_by={name}: no run has this setting; {hint}")
    return strategy_names(records.facts, group_by)


def each_seed_once(facts: pd.DataFrame, names: pd.Series) -> tuple[pd.Index, str]:
    """The runs without those that repeat the seed of another of the same name, which a copy of a folder or
    another version of the program makes; and a sentence on them, empty if there is none.
    """
    told = facts.assign(name=names, folder=[Path(run).name for run in facts.index])
    cell = ["dataset", "model", "protocol", "name", "seed"]
    again = told.duplicated(cell, keep="first")
    if not again.any():
        return facts.index, ""
    first = told[again].iloc[0]
    example = f"{first['name']} on {first['dataset']}, seed {first['seed']}"
    n = f"{again.sum()} run{'s' if again.sum() > 1 else ''}"
    text = (
        f"*Left out, since their seed is there with the same settings: {n} ({example}: {first['folder']}). "
        "Copies, or another version of the program.*"
    )
    return facts.index[~again], text
