"""``salutary.run``: what ``salutary-run -m`` does, from Python, with objects where that has names."""

from __future__ import annotations

import contextlib
import itertools
import re
import tempfile
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
from salutary.experiments.objects import described, name_of
from salutary.experiments.records import RunDirectory
from salutary.integrations.result import Result
from salutary.system.progress import naming_bar
from salutary.system.threads import free_cores

# Groups for which objects may stand, and what Hydra composes in their place.
STAND_INS = {
    "dataset": ("dataset=table", "dataset.path=none", "dataset.target=none"),
    "strategy": ("strategy=random",),
    "model": ("model=logistic",),
    "objective": ("objective=loss",),
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
    SalutaryError for what the command line would refuse, in the same words, and for what goes wrong in a run.
    """
    if (X is None) != (y is None):
        raise SalutaryError("X and y belong together")
    if X is None and (parts is not None or class_names is not None):
        raise SalutaryError("parts and class_names are of X and y")
    if X is not None:
        if "dataset" in settings:
            raise SalutaryError("dataset is X and y, or something else, not both")
        settings = {"dataset": {"data": Arrays(X, y, parts, class_names)}, **settings}
    with _folder(output_dir) as folder:
        jobs = _jobs([*overrides], settings, config_dir, folder)
        directories = [_directory(job) for job in jobs]
        findings = _execute(jobs, n_jobs, progress)
        paths = list(dict.fromkeys(directory.path for directory in directories))
        return Result.read(paths, findings, None if output_dir is None else folder)


def _jobs(
    overrides: list[str], settings: Mapping[str, Any], config_dir: str | Path | None, folder: Path
) -> list[_Job]:
    """Every combination, those of objects around those that Hydra makes."""
    words = [_word(name, value) for name, value in settings.items() if name not in STAND_INS]
    options = [_options(name, value) for name, value in settings.items() if name in STAND_INS]
    jobs = []
    for combination in itertools.product(*options):
        objects = {each.group: each for each in combination if isinstance(each, _Named)}
        chosen = [each for each in combination if isinstance(each, str)]
        _require_no_settings(overrides + words, objects)
        texts = [*itertools.chain(*(STAND_INS[group] for group in objects)), *chosen]
        texts = [*texts, *overrides, *words, override("output_dir", f"'{folder}'")]
        jobs += [_with_objects(each, objects) for each in compositions(texts, config_dir)]
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
        return [_named(group, thing, name) for name, thing in value.items()]
    values = list(value) if isinstance(value, list | tuple) else [value]
    texts = [each for each in values if isinstance(each, str)]
    return [*([choice(group, texts)] if texts else []), *(_named(group, v) for v in values if v not in texts)]


def _named(group: str, thing: Any, name: str | None = None) -> _Named:
    about, name = described(thing, group), name or name_of(thing)
    if not re.fullmatch(r"[\w.+-]+", name):
        raise SalutaryError(
            f"{group}: {name!r} must be letters, digits, and . + - _: folders have it in their names"
        )
    thing = load(thing, name) if group == "dataset" and not isinstance(thing, Table) else thing
    return _Named(group, name, thing, about)


def _with_objects(composed: Composed, objects: Mapping[str, _Named]) -> _Job:
    config = composed.config | {group: each.about for group, each in objects.items()}
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


def _directory(job: _Job) -> RunDirectory:
    return RunDirectory.of(job.composed.config, job.composed.choices)


def _execute(jobs: Sequence[_Job], n_jobs: int, progress: bool) -> tuple[str, ...]:
    """Do them all; what is to be told of the data."""
    workers = min(free_cores() if n_jobs == -1 else n_jobs, len(jobs))
    if workers < 1:
        raise SalutaryError(f"n_jobs must be a whole number >= 1, or -1, not {n_jobs}")
    if len(jobs) == 1:
        return tuple(_done(jobs[0], {}, shown=progress))
    device = {"cores": max(1, free_cores() // workers)} if workers > 1 else {}
    found: list[str] = []
    pool = Parallel(workers, return_as="generator")
    with naming_bar("runs", len(jobs), progress) as begin:
        for job, lines in zip(jobs, pool(delayed(_done)(job, device) for job in jobs), strict=True):
            begin(_directory(job).path.name)
            found += lines
    return tuple(dict.fromkeys(found))


def _done(job: _Job, device: Mapping[str, int], shown: bool = False) -> list[str]:
    """Do a run; what is to be told of its data."""
    found: list[str] = []
    directory = _directory(job)
    execute(Parts(directory, job.objects, device), None if shown else _silent, found.append)
    return found


def _silent(step: str) -> None:
    """Nobody is told."""


@contextlib.contextmanager
def _folder(output_dir: str | Path | None) -> Iterator[Path]:
    if output_dir is not None:
        yield Path(output_dir).expanduser()
        return
    with tempfile.TemporaryDirectory(prefix="salutary-") as folder:
        yield Path(folder)
