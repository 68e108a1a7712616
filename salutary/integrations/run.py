"""``salutary.run``: what ``salutary-run -m`` does, from Python, with objects where that has names."""

from __future__ import annotations

import contextlib
import functools
import itertools
import logging
import re
import tempfile
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from salutary.datasets import Table, load
from salutary.datasets.arrays import Arrays
from salutary.errors import SalutaryError
from salutary.experiments.composing import Composed, choice, compositions, lists, override
from salutary.experiments.job import Parts, execute
from salutary.experiments.objects import PLAIN, described, described_table, name_of, shortened
from salutary.experiments.records import RunDirectory
from salutary.experiments.terminal import quiet
from salutary.integrations.result import Result
from salutary.strategies.callable import OwnFunction
from salutary.system.progress import counting_bar
from salutary.system.threads import free_cores

# Groups for which objects may stand, and what Hydra composes in their place.
STAND_INS = {
    "dataset": ("dataset=table", "dataset.path=none", "dataset.target=none"),
    "strategy": ("strategy=random",),
    "model": ("model=logistic",),
    "objective": ("objective=loss",),
}


# What an object must have.
NEEDED = {
    "dataset": ("load",),
    "strategy": ("propose", "check"),
    "model": ("tune", "fit", "predict_proba"),
    "objective": ("on", "figure"),
}


@dataclass(frozen=True)
class _Job:
    """A run: its configuration, and the objects that stand for groups of it."""

    composed: Composed
    objects: dict[str, Any]


def run(
    *overrides: str,
    X: Any = None,
    y: Any = None,
    parts: Any = None,
    class_names: Sequence[str] | None = None,
    output_dir: str | Path | None = None,
    config_dir: str | Path | None = None,
    n_jobs: int = 1,
    progress: bool = True,
    **settings: Any,
) -> Result:
    """Run experiments, and give back their records.

    Parameters
    ----------
    overrides: as typed behind ``salutary-run -m``: ``"dataset=bank,wine"``, ``"model.l2=1"``.
    settings: the same by name, such as ``seed=range(5)`` or ``strategy="badge"``; a list, range or tuple
        is one run for each of its values. For ``dataset`` (an object with ``load()``, or a Table),
        ``strategy``, ``model`` and ``objective`` there may be objects in place of names, or a mapping of
        names to objects. A model may be a class, or a function, that takes ``n_classes``. Records name an
        object by its class, the source of that, and its parameters; each run works with a copy.
    X, y, parts, class_names: a data set in memory (:class:`salutary.datasets.arrays.Arrays`), which
        records call ``data``.
    output_dir: where records are written, as ``salutary-run`` does; what is finished there is not run again.
        None keeps no files.
    config_dir: a folder of YAML files of one's own, as ``--config-dir``.
    n_jobs: processes; -1 is one for each core.
    progress: whether a bar is shown.

    Returns
    -------
    The records of all runs, in the order of the arguments, the last one changing fastest.

    Raises
    ------
    SalutaryError for what the command line would refuse, in the same words; of several runs that were begun,
    :class:`RunsFailed` once the others are done, whose ``result`` has these. A single run raises what goes
    wrong in it.
    """
    if (X is None) != (y is None):
        raise SalutaryError("X and y belong together")
    if X is None and (parts is not None or class_names is not None):
        raise SalutaryError("parts and class_names are of X and y")
    if X is not None:
        if "dataset" in settings:
            raise SalutaryError("dataset is X and y, or something else, not both")
        settings = {"dataset": {"data": Arrays(X, y, parts, class_names)}, **settings}
    if not isinstance(n_jobs, int) or isinstance(n_jobs, bool) or (n_jobs < 1 and n_jobs != -1):
        raise SalutaryError(f"n_jobs must be a whole number >= 1, or -1, not {shortened(n_jobs)}")
    with _folder(output_dir) as folder:
        jobs = _jobs([*overrides], settings, config_dir, folder)
        ended = _execute(jobs, n_jobs, progress)
        paths = list(dict.fromkeys(each.path for each in ended if each.error is None))
        findings = tuple(dict.fromkeys(line for each in ended for line in each.findings))
        result = Result.read(paths, findings, None if output_dir is None else folder) if paths else None
    failed = [each for each in ended if each.error is not None]
    if failed:
        raise RunsFailed(failed, len(ended), result) from failed[0].error
    assert result is not None
    return result


class RunsFailed(SalutaryError):
    """Some of several runs failed; ``result``: of the others, None if there are none.

    The cause is what the first of them raised.
    """

    def __init__(self, failed: Sequence[_Ended], n: int, result: Result | None):
        first = failed[0]
        kind = "" if isinstance(first.error, SalutaryError) else f"{type(first.error).__name__}: "
        super().__init__(f"{len(failed)} of {n} runs failed; {first.path.name}: {kind}{first.error}")
        self.result = result


def _jobs(
    overrides: list[str], settings: Mapping[str, Any], config_dir: str | Path | None, folder: Path
) -> list[_Job]:
    """Every combination, those of objects around those that Hydra makes."""
    if any(each.lstrip("+~").startswith("output_dir=") for each in overrides):
        raise SalutaryError("output_dir is an argument of its own: output_dir=...")
    words = [_word(name, value) for name, value in settings.items() if name not in STAND_INS]
    options = [_options(name, value) for name, value in settings.items() if name in STAND_INS]
    jobs = []
    for combination in itertools.product(*options):
        objects = {each.group: each for each in combination if isinstance(each, _Named)}
        chosen = [each for each in combination if isinstance(each, str)]
        _require_no_settings(overrides + words, objects)
        texts = [*itertools.chain(*(STAND_INS[group] for group in objects)), *chosen]
        found = compositions([*texts, *overrides, *words], config_dir)
        jobs += [_with_objects(each, objects, folder) for each in found]
    return jobs


@dataclass(frozen=True)
class _Named:
    """An object that stands for a group; ``about``: what records have of it."""

    group: str
    name: str
    thing: Any
    about: dict[str, Any]


def _options(group: str, value: Any) -> list[str | _Named]:
    """The choices of a group: names together, for Hydra, and objects one by one."""
    if isinstance(value, Mapping):
        names = [each for each in value.values() if isinstance(each, str)]
        if names:
            raise SalutaryError(f"{group}: a mapping is of objects, and {names[0]!r} is a name: use a list")
        options: list[str | _Named] = [_named(group, thing, name) for name, thing in value.items()]
    else:
        values = list(value) if isinstance(value, list | tuple) else [value]
        texts = [each for each in values if isinstance(each, str)]
        things = [_named(group, each) for each in values if not isinstance(each, str)]
        options = [*([choice(group, texts)] if texts else []), *things]
    if not options:
        raise SalutaryError(f"{group}: there is no value to choose from")
    return options


def _named(group: str, thing: Any, name: str | None = None) -> _Named:
    """Raises SalutaryError for what is no such thing, and for a name that no folder can have."""
    _check(group, thing)
    name = name or name_of(thing)
    if not re.fullmatch(r"[\w.+-]+", name):
        raise SalutaryError(
            f"{group}: the name {name!r} must be of letters, digits, and . + - _, as of a folder;"
            f" {group}={{'mine': ...}} gives it another"
        )
    if group == "dataset":
        table = thing if isinstance(thing, Table) else load(thing, name)
        return _Named(group, name, table, described_table(table))
    about = described(thing, group)
    is_rule = group == "strategy" and not hasattr(thing, "propose")
    return _Named(group, name, OwnFunction(thing) if is_rule else thing, about)


def _check(group: str, thing: Any) -> None:
    lacks = [each for each in NEEDED[group] if not hasattr(thing, each)]
    if group == "dataset" and isinstance(thing, Table):
        lacks = []
    is_rule = isinstance(thing, types.FunctionType | functools.partial)
    if group == "strategy" and isinstance(thing, type):
        raise SalutaryError(f"strategy must be an object: {thing.__name__}(...)")
    if lacks and not (is_rule and group in ("strategy", "model")):
        kind = shortened(thing) if isinstance(thing, PLAIN) else f"a {name_of(thing)}"
        needed = ", ".join(NEEDED[group]) or "a Criterion"
        raise SalutaryError(f"{group} must be a name or an object with {needed}, not {kind}")


def _with_objects(composed: Composed, objects: Mapping[str, _Named], folder: Path) -> _Job:
    about = {group: each.about for group, each in objects.items()}
    config = {**composed.config, **about, "output_dir": str(folder)}
    choices = composed.choices | {group: each.name for group, each in objects.items()}
    return _Job(Composed(config, choices), {group: each.thing for group, each in objects.items()})


def _require_no_settings(words: Sequence[str], objects: Mapping[str, _Named]) -> None:
    """Raises SalutaryError for settings of a group that is an object, which would change nothing."""
    for word in words:
        group = word.lstrip("+~").partition("=")[0].partition(".")[0]
        if group in objects:
            raise SalutaryError(f"{word}: {group} is an object, which has its settings itself")


def _word(name: str, value: Any) -> str:
    is_many = isinstance(value, list | tuple | range | np.ndarray | pd.Index) and name not in lists()
    return choice(name, list(value)) if is_many else override(name, value)


def _directory(job: _Job, keep_failures: bool = False) -> RunDirectory:
    return RunDirectory.of(job.composed.config, job.composed.choices, keep_failures)


@dataclass(frozen=True)
class _Ended:
    """Where a run's record is, what is to be told of its data, and what it raised, if it did."""

    path: Path
    findings: list[str]
    error: Exception | None = None


def _execute(jobs: Sequence[_Job], n_jobs: int, progress: bool) -> list[_Ended]:
    """Do them all. A single one raises what goes wrong; of several the others go on."""
    workers = min(free_cores() if n_jobs == -1 else n_jobs, len(jobs))
    if len(jobs) == 1:
        return [_done(jobs[0], {}, shown=progress)]
    device = {"cores": max(1, free_cores() // workers)} if workers > 1 else {}
    ended: list[_Ended] = []
    pool = Parallel(workers, return_as="generator")
    with counting_bar("runs", len(jobs), progress) as advance:
        for each in pool(delayed(_tried)(job, device) for job in jobs):
            advance(1)
            ended.append(each)
    return ended


def _tried(job: _Job, device: Mapping[str, int]) -> _Ended:
    try:
        return _done(job, device, keep_failures=True)
    except Exception as error:
        return _Ended(_directory(job).path, [], error)


def _done(job: _Job, device: Mapping[str, int], shown: bool = False, keep_failures: bool = False) -> _Ended:
    found: list[str] = []
    directory = _directory(job, keep_failures)
    is_loud = logging.getLogger("salutary").isEnabledFor(logging.INFO)
    with contextlib.nullcontext() if shown or not is_loud else quiet():
        execute(Parts(directory, job.objects, device), None if shown else _silent, found.append)
    return _Ended(directory.path, found)


def _silent(step: str) -> None:
    """Nobody is told."""


@contextlib.contextmanager
def _folder(output_dir: str | Path | None) -> Iterator[Path]:
    if output_dir is not None:
        yield Path(output_dir).expanduser()
        return
    with tempfile.TemporaryDirectory(prefix="salutary-") as folder:
        yield Path(folder)
