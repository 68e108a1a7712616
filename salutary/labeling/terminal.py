"""What ``salutary-label`` shows at its end."""

from __future__ import annotations

from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from salutary.labeling.ask_file import sentence
from salutary.labeling.comparison import MAJORITY, NAMES, ModelComparison
from salutary.labeling.judging import HANDED, Judged
from salutary.labeling.labeler import LabelRound
from salutary.labeling.measured import Measured, standard_error
from salutary.labeling.result import Result
from salutary.labeling.settings import LabelSettings
from salutary.labeling.verdict import verdict, what_falls
from salutary.system.progress import console, sparkline


def tell(findings: list[str]) -> None:
    """What was found in the files, a line each."""
    screen = console(soft_wrap=True)
    for line in findings:
        screen.print(line, style="yellow")


def tell_round(rounds: list[LabelRound], what: str) -> None:
    """On a terminal, what the last round came to, and the losses so far; elsewhere bars' lines do."""
    screen = console()
    if not screen.is_terminal:
        return
    last = rounds[-1]
    n = sum(len(record.picks[0]) for record in rounds if record.picks)
    kind = "held-out" if last.held_out else "validation"
    line = sparkline([record.loss for record in rounds])
    shown = "" if screen.options.ascii_only else f"  {line}"
    print(f"round {last.number}: {n} labels, {kind} {what} {last.loss:.4f}{shown}", flush=True)


def summarise(result: Result, settings: LabelSettings) -> None:
    """Labels, the models beside each other, the verdict, and where everything is."""
    screen = console()
    if result.rounds:
        _tell_labels(screen, result)
    found = result.judged
    if found:
        screen.print(f"\n{found.diagnosis.sentence}", soft_wrap=True)
        if found.held_out:
            screen.print("", _judged(found), "")
        screen.print(verdict(found), style="bold", soft_wrap=True)
        for line in _notes(found):
            screen.print(line, style="yellow", soft_wrap=True)
    else:
        _tell_comparisons(screen, result.comparisons, result.aim.name)
    if result.asked:
        screen.print(sentence(result.asked, settings.folder, settings.target), soft_wrap=True)
    labels = f"labels in {settings.path}, everything else in" if result.rounds else "everything is in"
    predicted = f"; what it says of the pool in {settings.predicted}" if settings.predicted else ""
    screen.print(f"{labels} {settings.folder}/{predicted}", soft_wrap=True)


def _tell_labels(screen: Console, result: Result) -> None:
    n = sum(len(record.picks[0]) for record in result.kept_rounds[1:])
    rounds = "no round" if not result.kept else "1 round" if result.kept == 1 else f"{result.kept} rounds"
    screen.print(f"\n{n} labels in {rounds}, no human asked; {result.seconds:.1f} s", style="bold")
    last = result.rounds[-1].number
    dropped = f" (of {last}: later ones lowered no {result.aim.name})" if result.kept < last else ""
    screen.print(f"stopped: {result.stop}{dropped}", soft_wrap=True)


def _tell_comparisons(screen: Console, comparisons: list[ModelComparison], what: str) -> None:
    for comparison in comparisons:
        screen.print(_models(comparison, what))
    if not comparisons:
        screen.print(
            "Nothing was held out (folds=0, or few validation rows): how good this is, is not known."
        )
        return
    screen.print(comparisons[0].verdict(), style="bold", soft_wrap=True)
    if warning := comparisons[0].warning():
        screen.print(warning, style="yellow", soft_wrap=True)


def _notes(found: Judged) -> list[str]:
    """What was left out, and whether the handed model is worth anything."""
    notes = [found.warning] if found.warning else []
    if dropped := found.judgement.dropped:
        notes.append(f"max_seconds: not judged for lack of time: {', '.join(dropped)}")
    if compared := [member.name for member in found.judgement.members if member.compared_only]:
        notes.append(f"compared, but not to be handed over: {', '.join(compared)}")
    if found.judgement.criterion and (absent := found.judgement.absent):
        notes += [f"not fitted: {name}, {why}" for name, why in absent.items() if "pip" in why]
    if refused := found.judgement.refused:
        notes.append(f"not fitted, since these base models take no weights: {', '.join(refused)}")
    return notes


def _judged(found: Judged) -> Table:
    """Every model, the best first; what is handed over above them."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False, pad_edge=False)
    table.add_column(f"{len(found.judgement.y):,} validation rows, held out", overflow="fold")
    criterion = found.judgement.criterion
    columns = {what_falls(found.judgement): 15, "accuracy": 8}
    columns |= {criterion.figure_name.replace("_", " "): 13} if criterion else {}
    for name, width in (columns | {"weight": 6}).items():
        table.add_column(name, justify="right", min_width=width, no_wrap=not criterion)
    table.add_row(f"handed over: {found.judgement.combine}", *_of_model(found, HANDED), style="bold")
    table.add_section()
    for name in sorted(found.judgement.names, key=lambda name: found.held_out[name][0].mean()):
        weight = found.judgement.weights.get(name)
        table.add_row(name, *_of_model(found, name), "" if weight is None else f"{weight:.0%}")
    table.add_section()
    table.add_row(NAMES[MAJORITY], *_cells(found.majority))
    return table


def _of_model(found: Judged, name: str) -> list[str]:
    """Its cells: what it is judged by, the accuracy, and the figure if there is one."""
    figure = found.figures.get(name)
    return [*_cells(found.held_out[name]), *([f"{figure.value:.3f} ± {figure.error:.3f}"] if figure else [])]


def _cells(measured: Measured) -> tuple[str, str]:
    losses, hits = measured
    return f"{losses.mean():.4f} ± {standard_error(losses):.4f}", f"{100 * hits.mean():.2f}%"


def summarise_audit(facts: dict, path: Path, folder: Path) -> None:
    """How many labels are likely wrong, how many rows hurt, and where they are."""
    console(soft_wrap=True).print(
        f"{facts['likely_wrong']} of {facts['n_labeled']:,} labelled rows have a label that is likely wrong;"
        f" {facts['hurting']} hurt the validation loss by more than two standard errors;"
        f" {facts['doubted']} have a label that the others do not predict.\n"
        f"ranked rows in {path}, the page in {folder}/audit.html"
    )


def _models(comparison: ModelComparison, what: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column(f"{comparison.n:,} {comparison.where}")
    table.add_column(what, justify="right")
    table.add_column("accuracy", justify="right")
    for name, losses in comparison.losses.items():
        if name == MAJORITY:
            table.add_section()
        style = "bold" if name == comparison.best else None
        accuracy = f"{100 * comparison.hits[name].mean():.2f}%"
        table.add_row(NAMES[name], f"{losses.mean():.4f}", accuracy, style=style)
    return table
