"""Runs and reference lines told apart by the settings that differ, so that none is taken for a seed."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

import pandas as pd
import yaml

from salutary.analysis.style import label
from salutary.experiments.collect import flattened

# No reference line depends on these; on which strategy it is one may, with baselines_use_validation.
OF_STRATEGIES = ("strategy.", "objective", "rounds", "budget", "reference")
# But those of remedies that take the labels which a run assigned, and what is made of some of them.
OF_RUNS = ("remedy_salutary", "remedies_average")

# What stands for a file or a folder of the user's in the settings of a record.
CHECKSUM = r"sha256:([0-9a-f]{8})[0-9a-f]{56}\S*"
LONGEST_NAME = 30  # of a file, in a table and a legend


def strategy_names(facts: pd.DataFrame, always: Collection[str] = ()) -> pd.Series:
    """``salutary (l2=1)`` where runs of one table, strategy, model and protocol differ in settings; so in all
    tables, that one name is one thing, but for settings of a data set. Those of ``always`` are named in all
    runs that have them.
    """
    names, settings = facts["strategy"].copy(), settings_of(facts)
    for _, runs in facts.groupby(["strategy", "model", "protocol"]):
        tables = [*runs.groupby("dataset").groups.values()]
        within = [differing(settings.loc[of_table]) for of_table in tables]
        shared = {name for some in within for name in some if not name.startswith("dataset.")}
        for of_table, some in zip(tables, within, strict=True):
            wanted = [name for name in settings if name in {*some, *shared, *always}]
            for run, values in settings.loc[of_table, wanted].iterrows() if wanted else ():
                has = flattened(facts["settings"][run]).keys() | {*some, *shared}
                names[run] = named_by(names[run], values[[name in has for name in values.index]])
    return names


def settings_of(facts: pd.DataFrame) -> pd.DataFrame:
    """A column of texts for every setting but the seed, a row per run; of files, short names."""
    texts = [
        {name: "null" if value is None else str(value) for name, value in flattened(each).items()}
        for each in facts["settings"]
    ]
    settings = pd.DataFrame(texts, index=facts.index).drop(columns="seed").fillna("null")
    if "objective._target_" in settings:
        settings = settings.drop(columns="objective._target_").assign(objective=facts["objective"])
    for setting, values in settings.items():
        firsts = values.drop_duplicates()
        files = firsts[firsts.str.fullmatch(CHECKSUM)]
        if len(files):
            settings[setting] = values.replace(_file_names(setting, files))
    return settings


def _file_names(setting: str, checksums: pd.Series) -> dict[str, str]:
    """What each of the checksums is called: the name of the file, as typed in the run that is its index, if
    that is short and tells them apart, else the first digits.
    """
    typed = [_typed(Path(run), setting) for run in checksums.index]
    digits = [re.fullmatch(CHECKSUM, each)[1] for each in checksums]
    for names in ([Path(each).name for each in typed], typed, digits):
        if len({*names}) == len(names) and all(0 < len(each) <= LONGEST_NAME for each in names):
            return dict(zip(checksums, names, strict=True))
    return {}


def _typed(run: Path, setting: str) -> str:
    """A setting as it was typed; empty if the run's config.yaml does not say."""
    try:
        return str(flattened(yaml.safe_load((run / "config.yaml").read_text()))[setting])
    except (OSError, ValueError, KeyError, AttributeError, yaml.YAMLError):
        return ""


def differing(settings: pd.DataFrame) -> list[str]:
    """The settings that are not the same in all runs; of those that always agree (``model.l2`` that follows
    ``protocol.l2``) the last.
    """
    names = [name for name in settings if settings[name].nunique() > 1]
    last = {(_short(name), *settings[name]): name for name in names}
    return [name for name in names if name in last.values()]


def named_by(name: str, values: pd.Series) -> str:
    """``name (l2=1)``, or the name itself without values."""
    texts = dict.fromkeys(f"{_short(setting)}={value}" for setting, value in values.items())
    return f"{name} ({', '.join(texts)})" if texts else name


def _short(setting: str) -> str:
    return setting.rpartition(".")[2]


def line_names(references: pd.DataFrame, facts: pd.DataFrame) -> pd.Series:
    """Of every row of ``references``, its line, with the settings that the line depends on: ``Initial model
    (l2=1)``, but ``majority``; in each table by itself.

    What it depends on is read from the numbers: not on a setting without which the others and the seed still
    give one accuracy, if all its values have been tried with the same of these.
    """
    settings = settings_of(facts)
    others = [name for name in settings if not name.startswith(OF_STRATEGIES)]
    settings = settings.assign(strategy=facts["strategy"])
    names = references["line"].copy()
    for (_, line), rows in references.groupby(["dataset", "line"]):
        of_line = settings if line.startswith(OF_RUNS) else settings[[*others, "strategy"]]
        values = rows[["run", "seed", "test_accuracy"]].join(of_line, on="run")
        needed = _needed(values, differing(values[of_line.columns]))
        for row, told in values[needed].iterrows() if needed else ():
            names[row] = named_by(label(line), told)
    return names


def _needed(values: pd.DataFrame, names: list[str]) -> list[str]:
    """Those of the settings ``names`` that tell the accuracies of a line apart."""
    if _is_decided(values, [], names):
        return []
    needed = names
    for name in sorted(names, key=lambda each: each != "strategy"):
        rest = [each for each in needed if each != name]
        needed = rest if _is_decided(values, rest, [name]) else needed
    return needed


def _is_decided(values: pd.DataFrame, rest: list[str], names: list[str]) -> bool:
    """Whether ``rest`` and the seed say all about the accuracies that ``names`` could."""
    by = [*rest, "seed"]
    if (values.groupby(by)["test_accuracy"].nunique() > 1).any():
        return False
    tried = {frozenset(map(tuple, each[by].to_numpy())) for _, each in values.groupby(names)} if names else ()
    return names == ["strategy"] or len(tried) <= 1


def each_once(references: pd.DataFrame) -> pd.DataFrame:
    """Reference lines, ``strategy`` their names, once a seed, with ``accuracy`` in per cent: what tables and
    figures both take.
    """
    once = references.drop_duplicates(["dataset", "seed", "strategy"])
    return once.assign(accuracy=100 * once["test_accuracy"])
