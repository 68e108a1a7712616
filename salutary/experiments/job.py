"""One run, from the parts that the configuration names to its records. Imports all that computes."""

from __future__ import annotations

import contextlib
import copy
import functools
import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from salutary.datasets import Table, load
from salutary.errors import SalutaryError
from salutary.experiments import held_out, judge, predicted, split_file, terminal
from salutary.experiments.contents import contents as contents_of
from salutary.experiments.identity import CONTENTS
from salutary.experiments.kept_references import ReferenceCache, key_of, with_remedies
from salutary.experiments.loop import Plan
from salutary.experiments.metrics import HeldOut, Metrics
from salutary.experiments.predicted import Predictions
from salutary.experiments.problem import Problem, as_set
from salutary.experiments.recorder import Recorder
from salutary.experiments.records import RunDirectory
from salutary.experiments.references import reference_lines, trained_lines
from salutary.experiments.remedy_lines import RemedyLines
from salutary.experiments.rounds import Round, parsed, row
from salutary.experiments.run_log import logged
from salutary.experiments.settings import Settings
from salutary.experiments.split import split_table
from salutary.experiments.terminal import Told, steps
from salutary.models import keeps_checkpoint
from salutary.strategies import Strategy
from salutary.system import __version__
from salutary.system.commands import build
from salutary.system.device import Device

log = logging.getLogger(__name__)


class Parts:
    """The parts of a run: what its configuration names, or ``objects`` that stand for groups of it.

    ``device``: keyword arguments of the device's. The object of ``dataset`` is a table; of the others each
    run gets a copy, so that it sees nothing of what another has made of it.
    """

    def __init__(
        self,
        directory: RunDirectory,
        objects: Mapping[str, Any] | None = None,
        device: Mapping[str, Any] | None = None,
    ):
        self.directory = directory
        self.objects = objects or {}
        self.device = device or {}

    def __call__(self, name: str, **arguments: object) -> Any:
        """The part by the name of its group, such as ``strategy``; None where the group may be empty."""
        if name in self.objects:
            return _fitting(copy.deepcopy(self.objects[name]), arguments)
        config = self.directory.config
        if name in ("study", "objective") and not config.get(name):
            return None
        return build(config, name, **arguments, **(self.device if name == "device" else {}))

    def table(self) -> Table:
        """The runs of a sweep load it once."""
        name = self.directory.identity.dataset
        if "dataset" in self.objects:
            return self.objects["dataset"]
        config = self.directory.config
        return shared_table(json.dumps(config["dataset"]), name, json.dumps(config.get(CONTENTS, {})))


def _fitting(part: Any, arguments: Mapping[str, object]) -> Any:
    """An object, told what a configuration's is built with; a class or function is called with it."""
    if isinstance(part, type) or (callable(part) and not hasattr(part, "fit") and arguments):
        return part(**arguments)
    for name, value in arguments.items():
        if hasattr(part, name):
            setattr(part, name, value)
    return part


def execute(part: Parts, told: Told | None = None, found: Callable[[str], None] | None = None) -> bool:
    """Do what is left of a run; False if it was finished before.

    ``told``: called with a text for each round, trial run or comparison that is done; without it they are
    shown. ``found``: called with each line that is to be told of the user's files, which are read once for
    several runs.
    """
    directory = part.directory
    settings = Settings.of(directory.config)
    keeps_predictions = predicted.is_wanted(directory.config)
    started = time.perf_counter()
    with directory, contextlib.ExitStack() as stack:
        if directory.finished and not settings.force:  # by the process that held the lock
            return False
        run_log = stack.enter_context(logged(directory.partial))
        run_log.note(f"{directory.path.name}, salutary {__version__}")
        device, strategy, study = part("device"), part("strategy"), part("study")
        table = part.table()
        if found and table.columns:
            for line in table.columns.findings:
                found(line)
        plan = _plan(part, settings, table, device, strategy, stack)
        problem = plan.problem
        of_model = directory.config["model"]
        references_key = key_of(problem, plan.model, of_model, settings.seed, device.description)
        if study:
            study.check(problem, plan.model, strategy)
        remedies = RemedyLines.of(settings.reference, plan)
        predictions = Predictions(problem, directory.partial / predicted.NAME) if keeps_predictions else None
        recorder = Recorder(directory, run_log, predictions)
        done = recorder.resumed(settings.force)
        plan, judged, done = _judged(recorder, plan, done, told)
        seen = [*done]
        for record in terminal.progress(plan.run(done), plan.rounds, directory.identity, len(done), told):
            seen.append(record)
            recorder.add(record, plan.model)
        directory.add_file(split_file.NAME, split_file.packed(problem.split, len(table.y)))
        if study:
            directory.add_tables(study.measure(problem, plan.model, strategy, plan.budget, settings.seed))
        if problem.features:
            directory.add_file("preprocessor.skops", problem.features.dumps())
        trained = ReferenceCache(settings.cache_dir).lines(
            references_key, directory.identity, lambda: trained_lines(problem, plan.model)
        )
        if judged and settings.folds == "auto":
            measured: HeldOut | None = judged.held_out()
        else:
            measured = held_out.compared(plan, settings.folds, told)
        references = reference_lines(problem, plan.model, seen[0].test, trained)
        references |= _of_remedies(remedies, plan, seen, directory, references_key, told)
        twins = strategy.same_on_two_classes if table.n_classes == 2 else ()
        seconds = time.perf_counter() - started
        run_log.note(f"done in {seconds:.1f} s")
        directory.finish(references, problem, table, device.description, seconds, twins, measured)
    return True


def _plan(
    part: Parts,
    settings: Settings,
    table: Table,
    device: Device,
    strategy: Strategy,
    stack: contextlib.ExitStack,
) -> Plan:
    """What the run is made of. Before rows go to the device it waits there for its turn, which ends with the
    ``stack``.
    """
    split = split_table(table, part("protocol.splitter"), settings.n_init, settings.seed)
    split, given = as_set(split, table, settings, strategy.is_baseline)
    stack.enter_context(device.turn())
    problem = Problem.prepare(table, split, device, given, part("objective"))
    model = part("model", n_classes=table.n_classes)
    if keeps_checkpoint(model):
        model.checkpoint = part.directory.checkpoint
    return Plan(problem, model, strategy, *settings.sized(len(problem.split.pool)), settings.seed)


def _judged(
    recorder: Recorder, plan: Plan, done: tuple[Round, ...], told: Told | None
) -> tuple[Plan, judge.Trial | None, tuple[Round, ...]]:
    """The plan as trial runs settle it, the trial that speaks for its penalty, and the rounds that are done.

    All trials are written as they end. Without ``strategy.judge`` the plan is as it was.
    """
    if not getattr(plan.strategy, "judge", None) or not plan.rounds:  # one of 0.3.0 has no such word
        return plan, None, done
    plan.strategy.check(plan.model)
    judge.check(plan.problem)
    directory = recorder.directory
    if not done:  # what follows takes long, and is found again
        done = tuple(replace(plan, rounds=0).run())
        recorder.add(done[0], plan.model)
    known = [parsed(judge.Trial, each) for each in directory.table("trials")]
    tried: list[judge.Trial] = []
    n = plan.rounds * len(plan.strategy.judge_penalties)
    with steps("trial runs, rounds", "trial round", n, told) as one_more:
        for trial in judge.trials(plan, known, one_more):
            tried.append(trial)
            best = judge.best(tried)
            directory.add_tables({"trials": [{**row(each), "chosen": int(each is best)} for each in tried]})
    best = judge.best(tried)
    plan = judge.with_penalty(plan, best.l2) if best else replace(plan, strategy=judge.NoLabels())
    return plan, best, done


def _of_remedies(
    remedies: RemedyLines,
    plan: Plan,
    seen: list[Round],
    directory: RunDirectory,
    key: str | None,
    told: Told | None,
) -> dict[str, Metrics]:
    """Their lines, which are kept unless they depend on the labels that the run has assigned."""
    for line in remedies.told:
        log.info(line)
    if remedies.take_labels or not remedies.remedies:
        return remedies.lines(plan, seen, told)
    cache = ReferenceCache(directory.config["cache_dir"])
    train = partial(remedies.lines, plan, seen, told)
    return cache.lines(with_remedies(key, remedies.names), directory.identity, train, remedies.names)


@functools.lru_cache(maxsize=16)
def shared_table(dataset: str, name: str, contents: str = "{}") -> Table:
    """The table of a resolved configuration, as JSON; the runs of a sweep load it once.

    ``contents``: of its files, as JSON. Raises SalutaryError if they are not what they were a moment ago.
    """
    settings = json.loads(dataset)
    table = load(build({"dataset": settings}, "dataset"), name)
    if contents != "{}" and json.loads(contents) != contents_of(settings):
        raise SalutaryError(f"dataset={name}: its files changed while they were read; start again")
    return table
