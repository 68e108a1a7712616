"""The paper's tables and figures, and ours: a module each, named as its file in ``conf/experiment``.

Each has ``TITLE``, ``section(records) -> Section`` from the records of its runs, which are never rerun, and
``VARIED`` if its runs differ in settings other than table, strategy, model and seed.
"""

from __future__ import annotations

import copy
import itertools
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from matplotlib.figure import Figure

from salutary.analysis import paper
from salutary.analysis.curves import datasets_in_order
from salutary.analysis.told_apart import each_once
from salutary.errors import SalutaryError
from salutary.experiments.runs import SETTINGS, last_rounds, read_facts, read_rounds, references_of
from salutary.system.conf import config_dir

CODE = re.compile(r"(`[^`]+`)")
# Where Markdown would begin something else: emphasis, a link, a picture, a tag, an entity, a line through.
EMPHASIS = r"\*(?=\S)|(?<![A-Za-z0-9])_(?=\S)|~(?=~)|`"
SPECIAL = re.compile(rf"\\|{EMPHASIS}|\](?=[(\[:])|<(?=[A-Za-z/!?])|&(?=#?\w+;)")
# Settings of a group that runs of an experiment may differ in, beside those at the top.
VARIED_IN_GROUPS = (
    *("strategy.confidence", "strategy.estimate", "strategy.judge", "strategy.query", "model.surrogate_l2"),
    *("study.situation", "study.n_validation", "objective._target_", "dataset.group"),
)


@dataclass
class Section:
    """Markdown ``text`` that shows ``figures`` as ``![caption](name.png)``; ``tables`` of numbers for CSV
    files, and those of texts that readers see, ``shown``, for Markdown and LaTeX. ``brief``: what came out,
    in a sentence that needs no other, computed from the records as all that is said; empty where they say
    nothing yet.
    """

    title: str
    text: str
    figures: dict[str, Figure] = field(default_factory=dict)
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    shown: dict[str, pd.DataFrame] = field(default_factory=dict)
    brief: str = ""


class MixedRuns(SalutaryError):
    """Runs that differ in settings would be taken for seeds of one cell."""


class Records:
    """The finished runs below some folders: ``facts`` (one row a run), ``rounds``, ``references``.

    Raises SalutaryError if there is none or one cannot be read.
    """

    def __init__(self, folders: list[Path]):
        self.facts = read_facts(folders)
        settings = self.facts["settings"]
        for name in VARIED_IN_GROUPS:
            group, _, key = name.partition(".")
            self.facts[name] = [(each.get(group) or {}).get(key) for each in settings]  # no study: none
        self.rounds = read_rounds(folders)
        self.references = references_of(self.facts)

    def of(self, runs: Collection[str]) -> Records:
        """The records of some of the runs."""
        some = copy.copy(self)
        some.facts = self.facts.loc[[run in {*runs} for run in self.facts.index]]
        some.rounds = self.rounds[self.rounds["run"].isin(runs)]
        some.references = self.references[self.references["run"].isin(runs)]
        return some

    def check_cells(self, varied: tuple[str, ...] = ()) -> None:
        """Raises MixedRuns if runs of one table, strategy and model differ in settings other than the seed
        and those of ``varied``.
        """
        for cell, runs in self.facts.groupby(["dataset", "strategy", "model", *varied], dropna=False):
            settings = {run: _without(each, "seed") for run, each in runs["settings"].items()}
            first, *others = settings
            other = next((run for run in others if settings[run] != settings[first]), None)
            double = runs[runs.duplicated("seed")].index
            if other or len(double):
                pair = f"{first} and {other or double[0]}"
                raise MixedRuns(f"runs of {', '.join(map(str, cell))} differ in more than the seed: {pair}")

    def final(self) -> pd.DataFrame:
        """The last round of each run, with its settings and ``accuracy`` in per cent."""
        last = last_rounds(self.rounds).set_index("run")
        settings = self.facts[[name for name in SETTINGS if name not in last]]
        last = last.join(settings).reset_index()
        return last.assign(accuracy=100 * last["test_accuracy"])

    def lines(self, strategies: Collection[str] | None = None) -> pd.DataFrame:
        """The reference lines once a seed: dataset, seed, run, line, ``strategy`` (the line's name),
        test_loss, test_accuracy and accuracy (per cent).

        Lines depend on the model, and with ``baselines_use_validation`` on the strategy: those of logistic
        regression, and of runs of these ``strategies`` only.
        """
        facts = self.facts
        if facts["model"].nunique() > 1:
            facts = facts[facts["model"] == "logistic"]
        if strategies is not None:
            facts = facts[facts["strategy"].isin(strategies)]
        chosen = self.references[self.references["run"].isin(facts.index)]
        return each_once(chosen.assign(strategy=chosen["line"]))

    def reference(self, line: str, strategies: Collection[str] | None = None) -> pd.DataFrame:
        """dataset, seed, strategy and accuracy of one of the :meth:`lines`."""
        lines = self.lines(strategies)
        return lines.loc[lines["line"] == line, ["dataset", "seed", "strategy", "accuracy"]]


def _without(settings: dict, name: str) -> dict:
    return {key: value for key, value in settings.items() if key != name}


def expected(name: str) -> list[dict[str, str]]:
    """The overrides of each run of ``conf/experiment/<name>.yaml``, as text, and the settings they share."""
    conf = Path(config_dir())
    defaults = yaml.safe_load((conf / "config.yaml").read_text())
    experiment = yaml.safe_load((conf / "experiment" / f"{name}.yaml").read_text())
    # How many labels there are at the start is the data set's affair.
    shared = {key: experiment.get(key, defaults[key]) for key in SETTINGS if key != "n_init"}
    sweeper = experiment["hydra"]["sweeper"]
    jobs = []
    for grid in sweeper.get("grids") or [{}]:
        both = {**shared, "protocol": "paper", **sweeper["params"], **grid}
        values = [[(key, value) for value in _values(text)] for key, text in both.items()]
        jobs += [dict(job) for job in itertools.product(*values)]
    return jobs


def _values(text: object) -> list[str]:
    counted = re.fullmatch(r"range\((\d+)\)", str(text))
    if counted:
        return list(map(str, range(int(counted[1]))))
    # One list or mapping, such as [30,50], is one value.
    return [str(text)] if str(text)[0] in "[{" else str(text).split(",")


def missing(jobs: list[dict[str, str]], facts: pd.DataFrame) -> list[dict[str, str]]:
    """Those of the :func:`expected` jobs that are not among ``facts``."""
    have = {}
    lacking = []
    for job in jobs:
        keys = tuple(key for key in job if key in facts)
        if keys not in have:
            have[keys] = {tuple(map(_plain, row)) for row in facts[[*keys]].itertuples(index=False)}
        if tuple(_plain(job[key]) for key in keys) not in have[keys]:
            lacking.append(job)
    return lacking


def _plain(value: object) -> str:
    """One text for 0, 0.0 and "0", and for None and what pandas makes of it."""
    if value is None or value != value or value == "None":
        return "null"
    try:
        return f"{float(str(value)):g}"  # not of False itself, which would be 0
    except (TypeError, ValueError):
        return str(value)


def what_is_missing(name: str, facts: pd.DataFrame) -> str:
    """A sentence on the missing runs and the command that makes them; empty if none is."""
    every = expected(name)
    jobs = missing(every, facts)
    if not jobs:
        return ""
    differing = {key for key in SETTINGS if len({job.get(key) for job in every}) > 1}
    swept = [key for key in jobs[0] if key not in SETTINGS or key in differing]
    varied = {key: list(dict.fromkeys(job[key] for job in jobs if key in job)) for key in swept}
    which = "; ".join(f"{key} {', '.join(values)}" for key, values in varied.items() if key != "protocol")
    return (
        f"**{len(jobs)} of {len(every)} runs are missing** ({which}): "
        f"`salutary-run experiment={name}` makes them."
    )


def encoders(records: Records) -> str:
    """The encoders whose features the runs had."""
    names = {settings["dataset"].get("encoder", "unknown") for settings in records.facts["settings"]}
    return ", ".join(sorted(names))


def named(some: Collection[str], among: Collection[str]) -> str:
    """How many of some tables, and which."""
    names = ", ".join(map(dataset_name, datasets_in_order(some)))
    return f"{len(some)} of {len(among)} tables" + (f" ({names})" if names else "")


def named_where(flags: pd.Series) -> str:
    """:func:`named` of the tables, the index, where the flags say so."""
    return named(flags.index[flags], flags.index)


def how_many(flags: pd.Series) -> str:
    """``5 of 7 tables``, in how many of which the flags say so."""
    return f"{flags.sum()} of {len(flags)} tables"


def dataset_name(dataset: str) -> str:
    """A table as readers see it."""
    return paper.DATASETS.get(dataset, dataset)


def span(values: pd.Series, form: str = "{:.1f}") -> str:
    """From the least to the highest; one figure where both read alike."""
    low, high = form.format(values.min()), form.format(values.max())
    return low if low == high else f"{low} to {high}"


def surely(n: int, n_seeds: int) -> str:
    """`` (3 surely)``; nothing where no cell has seeds enough for anything to be sure."""
    return f" ({n} surely)" if n_seeds > 1 else ""


def markdown_table(rows: pd.DataFrame, bold: pd.DataFrame | None = None) -> str:
    """A Markdown table of texts, which may hold `code`; the index is the first column. ``bold``: which cells
    are.
    """
    table = rows.astype(object).fillna("").map(plain)
    if bold is not None:
        table = table.mask(bold, "**" + table.astype(str) + "**")
    table = table.rename(index=plain, columns=plain)
    names = {"index": plain(rows.index.name), "columns": plain(rows.columns.name)}
    return table.rename_axis(**names).to_markdown(disable_numparse=True)


def plain(text: Any) -> Any:
    """A text, such as a name that a user gave, which Markdown then shows as it is, but for `code`."""
    if not isinstance(text, str):
        return text
    parts = [part if CODE.fullmatch(part) else SPECIAL.sub(r"\\\g<0>", part) for part in CODE.split(text)]
    return "".join(parts).replace("|", r"\|")
