"""What ``salutary-label`` shows at its end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

from salutary.labeling.comparison import MAJORITY, NAMES, ModelComparison
from salutary.system.progress import console

if TYPE_CHECKING:
    from salutary.labeling.pipeline import Result


def tell(findings: list[str]) -> None:
    """What was found in the files, a line each."""
    screen = console(soft_wrap=True)
    for line in findings:
        screen.print(line, style="yellow")


def summarise(result: Result, path: Path, folder: Path) -> None:
    """Labels, the models beside each other, the verdict, and where everything is."""
    screen = console()
    n = sum(len(record.picks[0]) for record in result.kept_rounds[1:])
    rounds = "no round" if not result.kept else "1 round" if result.kept == 1 else f"{result.kept} rounds"
    screen.print(f"\n{n} labels in {rounds}, no human asked; {result.seconds:.1f} s", style="bold")
    last = result.rounds[-1].number
    dropped = f" (of {last}: later ones lowered no loss)" if result.kept < last else ""
    screen.print(f"stopped: {result.stop}{dropped}", soft_wrap=True)
    for comparison in result.comparisons:
        screen.print(_models(comparison))
    if result.comparisons:
        screen.print(result.comparisons[0].verdict(), style="bold", soft_wrap=True)
        if warning := result.comparisons[0].warning():
            screen.print(warning, style="yellow", soft_wrap=True)
    else:
        screen.print(
            "Nothing was held out (folds=0, or few validation rows): how good this is, is not known."
        )
    screen.print(f"labels in {path}, everything else in {folder}/", soft_wrap=True)


def summarise_audit(facts: dict, path: Path, folder: Path) -> None:
    """How many labels are likely wrong, how many rows hurt, and where they are."""
    console(soft_wrap=True).print(
        f"{facts['likely_wrong']} of {facts['n_labeled']:,} labelled rows have a label that is likely wrong;"
        f" {facts['hurting']} hurt the validation loss by more than two standard errors;"
        f" {facts['doubted']} have a label that the others do not predict.\n"
        f"ranked rows in {path}, the page in {folder}/audit.html"
    )


def _models(comparison: ModelComparison) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column(f"{comparison.n:,} {comparison.where}")
    table.add_column("loss", justify="right")
    table.add_column("accuracy", justify="right")
    for name, losses in comparison.losses.items():
        if name == MAJORITY:
            table.add_section()
        style = "bold" if name == comparison.best else None
        accuracy = f"{100 * comparison.hits[name].mean():.2f}%"
        table.add_row(NAMES[name], f"{losses.mean():.4f}", accuracy, style=style)
    return table
