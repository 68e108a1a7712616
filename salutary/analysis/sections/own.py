"""Runs that belong to none of the experiments: curves, final values and statistics, by protocol and model."""

from __future__ import annotations

import pandas as pd

from salutary.analysis import own_text
from salutary.analysis.comparison import cells, means
from salutary.analysis.curves import DEVIATION, draw_curves
from salutary.analysis.learning_curves import AXES, areas, last_values, points
from salutary.analysis.metrics import Metric, metric_of
from salutary.analysis.options import Options
from salutary.analysis.own_statistics import Comparison, compare
from salutary.analysis.sections import Records, Section, markdown_table
from salutary.analysis.selection import each_seed_once, named
from salutary.analysis.statistics import critical_difference_diagram
from salutary.analysis.style import base_name, label, looks
from salutary.analysis.told_apart import each_once, line_names
from salutary.errors import SalutaryError

TITLE = "Own runs"
NUMBERS = ["strategy", "dataset", "mean", "std", "n", "low", "high"]
AREA = """\
Area under the curve along the axis *{axis}*, divided by its length: the mean {label} on the way. A run that
ends before others keeps its last value."""


class Part:
    """The runs of one protocol and model; fills a section."""

    def __init__(self, section: Section, name: str, metric: Metric, options: Options):
        self.section, self.name, self.metric, self.options = section, name, metric, options
        self.blocks: list[str] = []
        self.briefs: list[str] = []

    def say(self, text: str) -> None:
        self.blocks.append(text)

    def table(self, ending: str, numbers: pd.DataFrame, texts: pd.DataFrame, on_page: bool = True) -> None:
        name = f"{self.name}{ending}"
        self.section.tables[name], self.section.shown[name] = numbers, texts
        if on_page:
            self.say(markdown_table(texts))

    def values(self, ending: str, rows: pd.DataFrame) -> None:
        """Mean ± deviation by strategy and table."""
        numbers = means(rows, "value")
        self.table(ending, numbers[NUMBERS], cells(numbers, digits=self.metric.digits))

    def curves(self, rounds: pd.DataFrame, lines: pd.DataFrame, everyone: pd.Series) -> None:
        x, drawn = self.options.x, looks(rounds["strategy"], everyone)
        self.section.figures[self.name] = draw_curves(rounds, lines, self.metric, x, drawn)
        self.say(f"![{self.metric.title} by {AXES[x]}, {self.name}; {DEVIATION}]({self.name}.png)")

    def paired(
        self, ending: str, final: pd.DataFrame, lines: pd.DataFrame, what: str = ""
    ) -> Comparison | None:
        """The comparison with the baseline; None where there is nothing to compare."""
        rows, baseline = with_line(final, lines, self.options.baseline)
        if rows["strategy"].nunique() < 2:
            return None
        compared = compare(rows, baseline, self.metric)
        self.say(own_text.about_differences(compared, what))
        self.table(f"{ending}-differences", compared.paired, own_text.differences(compared))
        self.say(own_text.about_tables(compared, is_told=bool(what)))
        self.table(f"{ending}-tests", compared.over_tables, own_text.over_tables(compared))
        return compared

    def more(self, compared: Comparison, n_tables: int) -> None:
        """Seeds needed, everyone against everyone, and ranks."""
        seeds = compared.paired[["strategy", "baseline", "dataset", "n", "mean", "std", "seeds_needed"]]
        self.say(own_text.SEEDS)
        self.table("-seeds", seeds, own_text.seeds(compared))
        is_small = len(compared.wins) <= own_text.MANY
        if is_small:
            self.say(own_text.MATRIX)
        wins = compared.wins.rename_axis(index="wins of", columns="").reset_index()
        self.table("-wins", wins, own_text.matrix(compared), on_page=is_small)
        if compared.ranks:
            name = f"{self.name}-ranks"
            self.section.figures[name] = critical_difference_diagram(compared.ranks)
            self.say(own_text.about_ranks(compared, n_tables))
            self.say(f"![Mean ranks over the tables, {self.name}]({name}.png)")


def section(records: Records, options: Options | None = None) -> Section:
    """A name says in which settings the runs of a strategy or a reference line differ, so that none is taken
    for a seed. The runs are those that ``options.where`` chose.

    Raises SalutaryError for options that these runs do not admit.
    """
    options = options or Options()
    metric = metric_of(options.metric, records.facts)
    rounds, lacking = with_metric(records.rounds, metric)
    records = records.of(rounds["run"].unique())
    names = named(records, options.group_by)
    kept, repeated = each_seed_once(records.facts, names)
    records = records.of(kept)
    check_baseline(records, names, options.baseline)
    rounds = rounds[rounds["run"].isin(kept)].assign(strategy=rounds["run"].map(names))
    found, briefs = Section(TITLE, ""), []
    said = ", ".join(f"`{name}={text}`" for name, text in options.of_own_runs.items())
    blocks = [f"Shown with {said}." if said else "", lacking, repeated]
    for (protocol, model), of_part in rounds.groupby(["protocol", "model"]):
        part = Part(found, f"{protocol}-{model}", metric, options)
        fill(part, records, of_part, names)
        blocks += [f"### protocol={protocol}, model={model}", *part.blocks]
        briefs += part.briefs
    found.text, found.brief = "\n\n".join(filter(None, blocks)), " ".join(briefs)
    return found


def fill(part: Part, records: Records, rounds: pd.DataFrame, names: pd.Series) -> None:
    """All that is said of one protocol and model."""
    curves = points(rounds, part.metric, part.options.x)
    final = last_values(rounds, part.metric)
    lines = reference_lines(records, final["run"], part.metric)
    part.say(f"Final {part.metric.sentence}; mean ± standard deviation over the seeds.")
    part.values("", pd.concat([final, lines.dropna(subset="value")]))
    part.curves(rounds, lines, names)
    if compared := part.paired("", final, lines):
        part.more(compared, final["dataset"].nunique())
        part.briefs.append(f"Own runs, {part.name}: {own_text.brief(compared)}")
    part.say(AREA.format(axis=AXES[part.options.x], label=part.metric.label))
    area = areas(curves)
    part.values("-area", area)
    part.paired("-area", area, lines, f"area, {part.metric.label}")
    figures_of_objectives(part, records, final)


def reference_lines(records: Records, runs: pd.Series, metric: Metric) -> pd.DataFrame:
    """The reference lines of some runs once a seed, ``strategy`` their names, with ``value``."""
    references = records.references[records.references["run"].isin(runs)]
    lines = references.assign(strategy=line_names(references, records.facts.loc[[*runs]]))
    return each_once(with_value(lines, metric))


def with_value(lines: pd.DataFrame, metric: Metric) -> pd.DataFrame:
    """Reference lines with the ``value`` of the metric; NaN where a record does not hold it."""
    return lines.assign(value=metric.factor * lines.get(metric.column, float("nan")))


def with_metric(rounds: pd.DataFrame, metric: Metric) -> tuple[pd.DataFrame, str]:
    """The rounds of the runs that hold the metric at their end, and a sentence on the others.

    Raises SalutaryError where none does.
    """
    rounds = rounds if metric.column in rounds else rounds.assign(**{metric.column: float("nan")})
    last = rounds.loc[rounds.groupby("run")["round"].idxmax()]
    there, n = last.loc[last[metric.column].notna(), "run"], len(last)
    why = "records of before 0.4.0 lack it, and so do runs whose test part lacks a class or group"
    if there.empty:
        raise SalutaryError(f"metric={metric.name}: none of {n} runs has {metric.column} ({why})")
    lacking = f"*{n - len(there)} of {n} runs have no {metric.column} and are left out: {why}.*"
    return rounds[rounds["run"].isin(there)], lacking if len(there) < n else ""


def check_baseline(records: Records, names: pd.Series, baseline: str | None) -> None:
    """Raises SalutaryError if no run and no reference line has the name of the baseline."""
    strategies, lines = sorted(names.unique()), sorted(records.references["line"].unique())
    known = {*strategies, *map(base_name, strategies), *lines}
    if baseline is not None and baseline not in known and base_name(baseline) not in {*map(label, lines)}:
        raise SalutaryError(f"baseline={baseline}: there are {', '.join([*strategies, *lines])}")


def with_line(
    final: pd.DataFrame, lines: pd.DataFrame, baseline: str | None
) -> tuple[pd.DataFrame, str | None]:
    """``final`` with the reference lines that are the baseline, if they are, and the baseline's name, None if
    it is not among these runs.
    """
    if baseline in {*final["strategy"], *map(base_name, final["strategy"])}:
        return final, baseline
    meant = lines[(lines["line"] == baseline) | (lines["strategy"] == baseline)]
    if meant.empty:
        return final, None
    names = sorted(meant["strategy"].unique())
    columns = final.columns.intersection(lines.columns)
    return pd.concat([final, meant[columns]]), names[0] if len(names) == 1 else base_name(names[0])


def figures_of_objectives(part: Part, records: Records, final: pd.DataFrame) -> None:
    """Means of what is reported of objectives other than the mean loss, by the name of the figure."""
    if part.metric.name == "figure":
        return
    last = records.final().set_index("run").reindex(final["run"])["test_figure"]
    rows = final.assign(value=100 * last.to_numpy()).dropna(subset="value")
    of_runs = records.facts["figure"].reindex(rows["run"]).to_numpy()
    for kind, each in rows.groupby(of_runs):
        part.say(f"Final {kind.replace('_', ' ')} on test rows, times 100:")
        numbers = means(each, "value")
        part.table(f"-{kind}", numbers[NUMBERS], cells(numbers))
