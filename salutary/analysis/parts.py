"""What a report is made of: one's own runs, then every experiment that there are records of."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from salutary.analysis.options import Options
from salutary.analysis.sections import MixedRuns, Records, Section
from salutary.analysis.selection import chosen
from salutary.errors import SalutaryError
from salutary.experiments.runs import finished_runs
from salutary.system.progress import counting_bar

EXPERIMENTS = (
    *("table4", "images", "figure1", "figure3", "table2", "figure5", "table5"),
    *("table5_random", "networks", "judge"),
    "figure6",
    *("fair", "label_everything", "label_noise", "scaling", "confidence"),
    *("remedies", "remedies_encoded", "objectives", "peers"),
)

# The paper's figures: the experiment whose records show them, and what they are called.
FIGURES = {
    "1": ("figure1", "figure1"),
    "2": ("table4", "figure2"),
    "3": ("figure3", "figure3"),
    "4": ("figure6", "figure4"),
    "5": ("figure5", "figure5"),
    "6": ("figure6", "figure6"),
}


@dataclass
class ReportPart:
    """A section of the report and the records it is made of; None where there are none."""

    name: str
    section: Section
    records: Records | None


def parts(root: Path, options: Options | None = None) -> Iterator[ReportPart]:
    """One's own runs, as ``options`` say, then every experiment with records in ``root/<name>``.

    Raises SalutaryError for options that no run is there for.
    """
    options = options or Options()
    experiments = [root / name for name in EXPERIMENTS]
    finished = finished_runs([root], required=False)
    own = [path for path in finished if not any(map(path.is_relative_to, experiments))]
    there = [name for name in EXPERIMENTS if any(path.is_relative_to(root / name) for path in finished)]
    if own:
        module = importlib.import_module("salutary.analysis.sections.own")
        records = chosen(Records(own), options.where)
        yield ReportPart("own", module.section(records, options), records)
    elif there and options.of_own_runs:
        raise SalutaryError(
            f"{', '.join(options.of_own_runs)}: of own runs, and all below {root} are of experiments; "
            f"with {root / there[0]} as the folder, those of one are taken for own runs"
        )
    for name in there:
        yield of_experiment(name, root)


def of_experiment(name: str, root: Path) -> ReportPart:
    """The section of an experiment; a note in its place where its runs are mixed."""
    module = importlib.import_module(f"salutary.analysis.sections.{name}")
    try:
        records = Records([root / name])
        records.check_cells(getattr(module, "VARIED", ()))
    except MixedRuns as error:
        note = f"**Not drawn**: {error}. Move one of them away."
        return ReportPart(name, Section(module.TITLE, note), None)
    return ReportPart(name, module.section(records), records)


def numbered(root: Path, numbers: tuple[str, ...]) -> list[ReportPart]:
    """The paper's figures of these numbers, of records in ``root/<experiment>`` or in ``root`` itself, if it
    has the experiment's name; sections with these figures only.

    Raises SalutaryError where there are no records of one, or its runs are mixed.
    """
    found: dict[str, ReportPart] = {}
    wanted: dict[str, list[str]] = {}
    for number in dict.fromkeys(numbers):
        name, figure = FIGURES[number]
        wanted.setdefault(name, []).append(figure)
        if name in found:
            continue
        is_of_it = root.resolve().name == name and not (root / name).is_dir()
        above = root.resolve().parent if is_of_it else root
        if not finished_runs([above / name], required=False):
            command = f"`salutary-run experiment={name}` makes them"
            raise SalutaryError(f"figure={number}: no records in {above / name}; {command}")
        found[name] = of_experiment(name, above)
    for name, part in found.items():
        if part.records is None:
            raise SalutaryError(f"{name}: {part.section.text.replace('*', '')}")
        part.section.figures = {each: part.section.figures[each] for each in wanted[name]}
    return [*found.values()]


def others(report_parts: list[ReportPart]) -> str:
    """A line on the experiments that there are no records of; empty if there is none."""
    names = [name for name in EXPERIMENTS if name not in {part.name for part in report_parts}]
    if not names:
        return ""
    return f"No records of {', '.join(names)}: `salutary-run experiment={names[0]}`, and so on, makes them."


def collect(root: Path, options: Options | None = None) -> list[ReportPart]:
    """All :func:`parts`, with progress shown. Raises SalutaryError if there is no finished run at all."""
    finished_runs([root])
    report_parts = []
    with counting_bar("reading records", None) as advance:
        for part in parts(root, options):
            report_parts.append(part)
            advance(1)
    return report_parts
