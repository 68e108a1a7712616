"""What a run shows: a progress bar over rounds, then a short summary."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence

from rich import box
from rich.table import Table

from salutary.experiments.metrics import Metrics
from salutary.experiments.records import Identity, RunDirectory
from salutary.experiments.resume import Finished
from salutary.experiments.rounds import Round
from salutary.system.progress import console, counting_bar

REFERENCE_NAMES = {
    "majority": "majority class",
    "initial": "initial model",
    "labeled_and_validation": "labelled + validation",
    "fully_supervised": "fully supervised",
    "remedies_average": "average of remedies",
}

# With ``rerank: 0`` these never see what a label really does.
INFLUENCES_ALONE = ("salutary", "salutary_greedy")

# Is told what a run has just done, such as "round 3 of 10".
Told = Callable[[str], None]


def progress(
    records: Iterable[Round], rounds: int, identity: Identity, done: int, told: Told | None
) -> Iterator[Round]:
    """Pass the rounds on, telling of each or showing a bar; ``done``, with round 0, were there before."""
    shown = told is None
    with counting_bar(f"{identity.dataset} · {identity.strategy}, rounds", rounds, shown) as advance:
        advance(max(done - 1, 0))
        for record in records:
            yield record
            advance(record.round > 0)
            if told and record.round:
                told(f"round {record.round} of {rounds}")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Only warnings are shown of a run among many."""
    logger = logging.getLogger("salutary")
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(before)


@contextlib.contextmanager
def steps(description: str, step: str, total: int, told: Told | None) -> Iterator[Callable[[], None]]:
    """A function that counts one ``step`` more of so many, telling of it or showing a bar."""
    with counting_bar(description, total, told is None) as advance:
        done = 0

        def one_more() -> None:
            nonlocal done
            done += 1
            advance(1)
            if told:
                told(f"{step} {done} of {total}")

        yield one_more


def summarise(directory: RunDirectory, record: Finished) -> None:
    """Print accuracies, reference lines, what the labels cost and where the files are.

    Other strategies that choose the same points on these data are named; a run that ended before its
    ``rounds`` says why. Warnings: labels that nobody gave and that do harm on held-out rows, a model that got
    worse, one that a constant beats.
    """
    out, rounds, facts = console(), record.rounds, record.facts
    identity, objective = directory.identity, facts.get("objective")
    title = f"{identity.dataset} · {identity.strategy} · protocol {identity.protocol} · seed {identity.seed}"
    out.print(f"\n{title}", style="bold")
    out.print(_accuracies(rounds, record.references, objective))
    out.print(_labels(rounds))
    if why := early_end(rounds[-1], directory.config["rounds"]):
        out.print(f"Ended {why}.", soft_wrap=True)
    out.print(f"{facts['seconds']:.1f} s · records in {directory.path}", soft_wrap=True)
    if twins := facts["same_strategies"]:
        out.print(f"On two classes {', '.join(twins)} are one strategy: they choose the same points.")
    if held_out := record.held_out:
        out.print(held_out.sentence(), style="yellow" if held_out.got_worse else None, soft_wrap=True)
    first, last, majority = rounds[0].test, rounds[-1].test, record.references["majority"].accuracy
    if last.accuracy < first.accuracy and not objective:
        change = f"{100 * first.accuracy:.2f}% before, {100 * last.accuracy:.2f}% now"
        advice = _advice_of_refits(directory)
        out.print(f"The model got worse: {change}{advice}.", style="yellow", soft_wrap=True)
    if objective and _is_larger(last.objective, first.objective):
        change = f"{first.objective:.4f} before, {last.objective:.4f} now"
        out.print(f"The objective got worse on the test rows: {change}.", style="yellow")
    if last.accuracy < majority:
        out.print(_majority_warning(identity, majority), style="yellow")


def _advice_of_refits(directory: RunDirectory) -> str:
    """Where labels were chosen by influences alone, real refits would have shown what they do to V; those of
    a network's surrogate would not.
    """
    identity, strategy = directory.identity, directory.config["strategy"]
    if identity.strategy not in INFLUENCES_ALONE or identity.model != "logistic" or strategy.get("rerank"):
        return ""
    return "; strategy=salutary_greedy strategy.rerank=20 adds only what really lowers the validation loss"


def early_end(last: Round, planned: object) -> str:
    """``in round 3 of 10: no point is sure to help``, if a run ended before the rounds it was asked for.

    A round without points is one that ended it; without a word of the strategy's, the pool has no more.
    """
    is_idle = last.round > 0 and not last.queries
    if not is_idle and (not isinstance(planned, int) or last.round >= planned):
        return ""
    of = f" of {planned}" if isinstance(planned, int) else ""
    return (
        f"in round {last.round}{of}: {last.stop or 'nothing was proposed'}"
        if is_idle
        else (f"after round {last.round}{of}: the pool is empty")
    )


def _is_larger(after: float | None, before: float | None) -> bool:
    return after is not None and before is not None and after > before


def _accuracies(
    records: Sequence[Round], references: dict[str, Metrics], objective: dict | None = None
) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("")
    names = ["test accuracy", "balanced", "macro F1", "test loss"]
    if objective:
        names = ["test accuracy", "test loss", "objective", objective["figure"].replace("_", " ")]
    for name in names:
        table.add_column(name, justify="right")
    last = records[-1]
    lines = {"round 0 (initial model)": records[0].test}
    if last.round:
        lines[f"round {last.round}"] = last.test
    n_rounds = len(lines)
    lines |= {_line(name): metrics for name, metrics in references.items() if name != "initial"}
    for i, (name, metrics) in enumerate(lines.items()):
        numbers = [metrics.loss, metrics.objective, metrics.figure] if objective else [metrics.loss]
        shares = [metrics.balanced_accuracy, metrics.macro_f1] if not objective else []
        cells = [f"{100 * share:.2f}%" for share in (metrics.accuracy, *shares)]
        cells += ["" if number is None else f"{number:.4f}" for number in numbers]
        is_last = i == n_rounds - 1
        table.add_row(name, *cells, style="bold" if is_last else None, end_section=is_last)
    return table


def _line(name: str) -> str:
    """A reference line as a reader sees it."""
    return REFERENCE_NAMES.get(name, name.replace("remedy_", "remedy ", 1))


def _labels(records: Sequence[Round]) -> str:
    last = records[-1]
    queried = [query for record in records for query in record.queries]
    if not queried:
        return "no points added"
    added = f"{len(queried)} points added, {last.n_human_labels} human labels bought"
    agreed = [query.assigned_label == query.true_label for query in queried if query.true_label]
    return (
        f"{added}; {100 * sum(agreed) / len(agreed):.0f}% of the labels equal the truth" if agreed else added
    )


def _majority_warning(identity: Identity, majority: float) -> str:
    advice = "; try protocol=standard" if identity.protocol == "paper" else ""
    return (
        f"Always answering the majority class is right more often ({100 * majority:.2f}%)"
        f" than this model{advice}."
    )
