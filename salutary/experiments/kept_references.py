"""Reference lines that are trained, kept between processes: the strategies of a seed share them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_info

from salutary.errors import SalutaryError
from salutary.experiments.metrics import Metrics
from salutary.experiments.problem import Problem
from salutary.experiments.records import Identity
from salutary.experiments.references import TRAINED
from salutary.models import Model, is_network
from salutary.system.environment import code
from salutary.system.files import directory, locked, write_atomic

log = logging.getLogger(__name__)

Lines = dict[str, Metrics]


class ReferenceCache:
    """Trained lines in ``cache_dir``, by default the user's cache: ``references/<data>-<model>-<key>.json``.

    Other processes that want the same lines wait for the one that trains them. A file that is damaged, or
    another's, is not used, and replaced; a folder that cannot be written keeps nothing.
    """

    def __init__(self, cache_dir: str | Path | None = None):
        self.folder = directory(cache_dir) / "references"

    def lines(
        self, key: str | None, identity: Identity, train: Callable[[], Lines], names: Sequence[str] = TRAINED
    ) -> Lines:
        """What ``train`` gives, lines of these ``names``, by the :func:`key_of` of all that decides it; None
        keeps nothing.

        Raises what ``train`` raises.
        """
        if key is None:
            return train()
        path = self.folder / f"{identity.dataset}-{identity.model}-seed{identity.seed}-{key[:16]}.json"
        if found := _read(path, key, names):
            log.info("the reference lines are kept in %s", path)
            return found
        with _locked(path):
            if found := _read(path, key, names):  # another process has trained them meanwhile
                return found
            lines = train()
            _keep(path, key, lines)
            return lines


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock of a file, if there can be one."""
    with contextlib.ExitStack() as stack:
        try:
            wait = "waiting for another process that trains the same reference lines"
            stack.enter_context(locked(path.with_suffix(".lock"), lambda: log.info(wait)))
        except (OSError, NotImplementedError):  # what cannot be written is told when it is tried
            pass
        yield


def _keep(path: Path, key: str, lines: Lines) -> None:
    texts = {name: asdict(metrics) for name, metrics in lines.items()}
    values = [value for line in texts.values() for value in line.values() if value is not None]
    if not all(map(math.isfinite, values)):
        return
    content = {"key": key, "lines": texts, "checksum": _checksum(key, texts)}
    try:
        write_atomic(path, json.dumps(content).encode())
    except OSError as error:
        log.info("%s cannot be written (%s): the reference lines are not kept", path, error.strerror)


def _read(path: Path, key: str, names: Sequence[str]) -> Lines | None:
    """The lines in a file, if it is whole, the one of this key, and has those of these names."""
    try:
        content = json.loads(path.read_bytes())
        texts = content["lines"]
        if content["key"] != key or content["checksum"] != _checksum(key, texts) or set(texts) != set(names):
            return None
        return {name: Metrics(**texts[name]) for name in names}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, LookupError, RecursionError) as error:
        log.info("%s is damaged (%s): it is made again", path, error)
        return None


def _checksum(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def key_of(problem: Problem, model: Model, settings: Mapping[str, Any], seed: int, device: str) -> str | None:
    """Checksum of all that decides the trained lines, or None where that cannot be told.

    ``model``: as the configuration built it, of which ``settings`` are its group there; tuning is decided by
    them, the seed, and the initial and validation set. ``device``: its description. The rows count as the
    model sees them, on the device, so that neither the table nor its preparation has to be described.

    It cannot be told where the source of a class is not to be had, and where a setting of a class from
    elsewhere names a folder, since what is read from it is not known.
    """
    if is_network(model):  # nothing that is trained has to do with its surrogate
        settings = {name: value for name, value in settings.items() if name != "surrogate_l2"}
    try:
        told = json.dumps(settings, sort_keys=True)
    except (TypeError, ValueError):
        return None
    targets = [str(value) for name, value in _leaves(settings) if name == "_target_"]
    tops = {name.partition(".")[0] for name in (*targets, *_modules(model))}
    packages = frozenset(tops - sys.stdlib_module_names)
    made_by = code(packages)
    files = _files(settings, model, is_ours=packages == {"salutary"})
    if made_by is None or files is None:
        return None
    rows = {name: _digest(part) for name, part in vars(problem.split).items()}
    tensors = [_digest(each.numpy(force=True)) for each in (problem.X, problem.y, problem.given)]
    if problem.criterion:
        tensors.append(repr(problem.criterion))
        tensors.append("" if problem.groups is None else _digest(problem.groups.numpy(force=True)))
    computed_by = [device, torch.backends.cpu.get_cpu_capability(), _libraries()]
    return _checksum(made_by, computed_by, told, files, rows, tensors, problem.n_classes, seed)


def with_remedies(key: str | None, remedies: Sequence[str]) -> str | None:
    """The key of the lines of these remedies, from that of the trained ones: the same decides both."""
    return None if key is None else _checksum(key, "remedies", list(remedies))


def _digest(values: np.ndarray) -> str:
    """Checksum of an array: of its type, its shape, and every bit."""
    digest = hashlib.sha256(f"{values.dtype} {values.shape}".encode())
    digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()


def _libraries() -> list[str]:
    """The libraries of linear algebra, with the kind of processor that they compute for."""
    names = ("internal_api", "version", "architecture", "num_threads")
    blas = [each for each in threadpool_info() if each["user_api"] == "blas"]
    return sorted({str([each.get(name) for name in names]) for each in blas})


def _leaves(settings: object, name: str = "") -> Iterator[tuple[str, object]]:
    """Every value below some settings that holds no others, with its name."""
    if isinstance(settings, Mapping):
        for key, value in settings.items():
            yield from _leaves(value, key)
    elif isinstance(settings, list):
        for value in settings:
            yield from _leaves(value, name)
    else:
        yield name, settings


def _modules(model: object) -> Iterator[str]:
    """The modules of the classes of a model and of the objects that it has."""
    for each in (model, *getattr(model, "__dict__", {}).values()):
        yield from (kind.__module__ for kind in type(each).__mro__[:-1])


def _files(settings: object, model: object, is_ours: bool) -> dict[str, str] | None:
    """Checksums of the files that settings name, and of a network's weights; None where one is not there."""
    names = [value for _, value in _leaves(settings) if isinstance(value, str)]
    paths = {name: os.path.expanduser(name) for name in names}
    if not is_ours and any(map(os.path.isdir, paths.values())):
        return None
    files = {name: Path(path) for name, path in paths.items() if os.path.isfile(path)}
    try:
        if weights := _weights(model):
            files["weights"] = weights
        return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}
    except (SalutaryError, OSError):  # tuning says so
        return None


def _weights(model: object) -> Path | None:
    """The file of the weights that a network starts from, which may be known by another name."""
    backbone = getattr(model, "backbone", None)
    if getattr(backbone, "weights", "random") == "random":
        return None
    from salutary.encoders.resnet34 import weights_file
    from salutary.models.resnet34 import ResNet34

    return weights_file(backbone.weights, backbone.data_dir) if isinstance(backbone, ResNet34) else None
