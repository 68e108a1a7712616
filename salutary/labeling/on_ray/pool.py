"""A pool on a Ray cluster, as the driver sees it: whatever the pool, little of it comes here."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch

from salutary.errors import SalutaryError
from salutary.labeling.distributed_pool import DistributedPool
from salutary.labeling.inputs import Inputs
from salutary.labeling.on_ray import facts, ids, reading, steps
from salutary.labeling.on_ray.cluster import Cluster, Shared, Step
from salutary.labeling.on_ray.predictions import write_parts
from salutary.labeling.on_ray.reading import Plan
from salutary.labeling.on_ray.rules import LostBlocks
from salutary.labeling.pool import EncodedPool
from salutary.labeling.ranking import Score
from salutary.system.device import Device
from salutary.system.files import write_atomic
from salutary.tables.findings import Findings

if TYPE_CHECKING:
    import ray.data

ONCE, EACH_ROUND = "once", "each_round"
# Rows that are asked for a few at a time, and are kept: those that get labels.
FEW = 256
# Of a pass, until one loses no machine.
ATTEMPTS = 3
ENCODING = "encoding the pool"
Result = TypeVar("Result")


@dataclass
class Rows:
    """Rows of a pool that are here: ``numbers`` (m,), ascending, and ``X`` (m, d)."""

    numbers: np.ndarray
    X: np.ndarray

    def joined(self, numbers: np.ndarray, X: np.ndarray) -> Rows:
        order = np.argsort(together := np.concatenate([self.numbers, numbers]))
        return Rows(together[order], np.concatenate([self.X, X])[order])

    def find(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which of the numbers are here, and where those are."""
        if not len(self.numbers):
            return np.zeros(len(numbers), bool), np.empty(0, np.int64)
        places = np.searchsorted(self.numbers, numbers).clip(max=len(self.numbers) - 1)
        here = self.numbers[places] == numbers
        return here, places[here]


@dataclass
class RayPool(DistributedPool):
    """``n_rows`` of the table, but for those ``left_out``. ``kept``: the Ray Data set of encoded chunks, None
    where each pass encodes them anew.
    """

    cluster: Cluster
    plan: Plan
    device: str
    name: str
    n_rows: int
    kept: ray.data.Dataset | None = None
    left_out: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    progress: bool = True

    def __post_init__(self) -> None:
        self._shared, nothing = Shared(self.plan), np.empty((0, self.plan.width), np.float32)
        self._near = self._few = Rows(np.empty(0, np.int64), nothing)

    def __len__(self) -> int:
        return self.n_rows - len(self.left_out)

    @property
    def n_features(self) -> int:
        return self.plan.width

    def blocks(self) -> Any:
        """Raises SalutaryError: they are too many to come here."""
        raise SalutaryError(f"{self.name}: the rows of a pool on a Ray cluster stay there")

    def without(self, rows: np.ndarray) -> RayPool:
        """Without these rows of the file. Raises SalutaryError if none is left."""
        if len(rows) == self.n_rows:
            raise SalutaryError("answers: every row of the pool has a label, there is nothing left to label")
        settings = self.device, self.name, self.n_rows, self.kept, np.sort(rows)
        return RayPool(self.cluster, self.plan, *settings, self.progress)

    def in_file(self, rows: np.ndarray) -> np.ndarray:
        """The numbers in the file of these rows (m,)."""
        before = self.left_out - np.arange(len(self.left_out))  # rows that remain before each left-out one
        return rows.astype(np.int64) + np.searchsorted(before, rows, side="right")

    def _remaining(self, numbers: np.ndarray) -> np.ndarray:
        """From numbers in the file."""
        return numbers - np.searchsorted(self.left_out, numbers)

    def best_rows(self, score: Score, taken: Sequence[np.ndarray], n: int, title: str) -> list[np.ndarray]:
        """See :meth:`DistributedPool.best_rows`; the rows themselves come along."""
        gone = [np.union1d(self.in_file(each), self.left_out) for each in taken]
        title = f"{title} {Path(self.name).name}"
        found = self._surely(
            lambda: self._ranked(steps.Ranking(score.to(torch.device("cpu")), gone, n), title)
        )
        return [np.sort(self._remaining(each)) for each in found]

    def _ranked(self, ranking: steps.Ranking, title: str) -> list[np.ndarray]:
        """Numbers in the file of the best rows by each model."""
        rank = steps.Rank(Shared(ranking), self.device, with_rows=self.kept is None)
        refs = self._blocks(self._mapped(self.chunks(), rank), title)
        found = steps.ranked(self.cluster.reduced(refs, partial(steps.merge_ranked, ranking.n)))
        numbers = [found["row"][found["model"] == each] for each in range(len(ranking.taken))]
        of_rows = refs if self.kept is None else None  # which nobody encodes twice
        self._near = self._fetched(np.unique(np.concatenate(numbers)), of_rows)
        return numbers

    def keep(self) -> None:
        """Encode all chunks, and let the cluster hold them."""
        import ray.data

        self.kept = ray.data.from_arrow_refs(self._blocks(self.encoded(), ENCODING))

    def facts(self) -> list[Any]:
        """References to blocks of what is to be told of chunks, and their ids."""
        if self.kept is not None:
            return self.cluster.each(self.kept.to_arrow_refs(), steps.OnlyFacts())
        return self._blocks(self.cluster.mapped(self.encoded(), steps.OnlyFacts()), ENCODING)

    def _surely(self, work: Callable[[], Result]) -> Result:
        """``work()``, and again, with chunks encoded anew, where a machine is gone with what it held."""
        for left in reversed(range(ATTEMPTS)):
            try:
                return work()
            except LostBlocks:
                if not left:
                    raise
                if self.kept is not None:
                    self.keep()
        raise AssertionError

    def prefetch(self, rows: np.ndarray) -> None:
        """See :meth:`DistributedPool.prefetch`."""
        self._near = self._surely(lambda: self._fetched(np.unique(self.in_file(rows))))

    def take(self, rows: np.ndarray) -> np.ndarray:
        """See :meth:`DistributedPool.take`."""
        numbers = self.in_file(np.asarray(rows))
        X = np.empty((len(numbers), self.n_features), np.float32)
        missing = np.ones(len(numbers), bool)
        for here in (self._few, self._near):
            found, places = here.find(numbers[missing])
            at = np.flatnonzero(missing)[found]
            X[at], missing[at] = here.X[places], False
        if missing.any():
            fetched = self._surely(lambda: self._fetched(np.unique(numbers[missing])))
            X[missing] = fetched.X[fetched.find(numbers[missing])[1]]
        if len(numbers) <= FEW:
            new, first = np.unique(numbers[~self._few.find(numbers)[0]], return_index=True)
            self._few = self._few.joined(new, X[~self._few.find(numbers)[0]][first])
        return X

    def write_predictions(self, path: Path, predict_proba: Any, classes: Any) -> None:
        """See :func:`salutary.labeling.on_ray.predictions.write_parts`."""
        settings = path, self.plan.settings.id, predict_proba, classes, "predicting the pool"
        self._surely(lambda: write_parts(self.cluster, self.chunks(), *settings, self.n_chunks))

    def chunks(self) -> ray.data.Dataset:
        """The Ray Data set of encoded chunks."""
        return self.kept if self.kept is not None else self.encoded()

    def encoded(self, wanted: np.ndarray | None = None) -> ray.data.Dataset:
        """Encoded as it is asked for; of ``wanted`` rows, ascending, at least those."""
        import ray.data

        rows = None if wanted is None else Shared(wanted)
        if not self.plan.is_split:
            all_of_it = self.cluster.mapped(
                ray.data.from_items([{"all": 1}]), reading.ReadAll(self._shared), num_cpus=0
            )
            return self._mapped(all_of_it, reading.EncodeBlocks(self._shared, rows))
        pieces = [vars(each) for each in self.plan.pieces if wanted is None or _holds(each, wanted)]
        items = [{**each, "first": each["groups"].start, "stop": each["groups"].stop} for each in pieces]
        items = [{name: value for name, value in each.items() if name != "groups"} for each in items]
        data = ray.data.from_items(items, override_num_blocks=len(items))
        return self._mapped(data, reading.ReadPiece(self._shared, rows))

    @property
    def n_chunks(self) -> int | None:
        """About so many; None where only reading tells."""
        if self.kept is not None:
            return self.kept.num_blocks()
        return len(self.plan.pieces) if self.plan.is_split else None

    def _fetched(self, numbers: np.ndarray, refs: Sequence[Any] | None = None) -> Rows:
        """From the workers; ``numbers`` are in the file, ascending; ``refs``: of chunks that have them."""
        if not len(numbers):
            return Rows(numbers, np.empty((0, self.n_features), np.float32))
        take = steps.Take(Shared(numbers))
        if refs is None and self.kept is not None:
            refs = self.kept.to_arrow_refs()
        if refs is None:
            taken = self._blocks(self.cluster.mapped(self.encoded(numbers), take), None)
        else:
            taken = self.cluster.each(refs, take)
        tables = self.cluster.fetched(taken)
        found = [chunk for table in tables if table is not None for chunk in steps.chunks_of(table)]
        nothing = Rows(np.empty(0, np.int64), np.empty((0, self.n_features), np.float32))
        parts = [(each["numbers"], steps.matrix(each)) for each in found]
        rows = (
            nothing.joined(*(np.concatenate(each) for each in zip(*parts, strict=True))) if parts else nothing
        )
        if not np.array_equal(rows.numbers, numbers):
            raise SalutaryError(f"{self.name} has other rows than when it was first read")
        return rows

    def _mapped(self, data: ray.data.Dataset, step: Step) -> ray.data.Dataset:
        on_gpu = self.device.startswith("cuda")
        return self.cluster.mapped(data, step, **({"num_gpus": 1} if on_gpu else {}))

    def _blocks(self, data: ray.data.Dataset, title: str | None) -> list[Any]:
        return self.cluster.blocks(data, title or "", self.n_chunks, self.progress and title is not None)


def _holds(piece: Any, wanted: np.ndarray) -> bool:
    first, last = np.searchsorted(wanted, (piece.start, piece.start + piece.n_rows))
    return bool(last > first)


def encode_on_ray(
    cluster: Cluster, plan: Plan, inputs: Inputs, folder: Path, device: Device, progress: bool
) -> EncodedPool:
    """Encode the pool on the workers, and keep it there if there is room; ``folder``: of what is to be told.

    Raises SalutaryError, naming column and row, for what is wrong in the pool, and if it has no rows.
    """
    table, settings = plan.table, plan.settings
    table.check(plan.columns)
    pool = RayPool(cluster, plan, device.name, str(table.path), table.n_rows or 0, progress=progress)
    how, why = _how(plan, cluster.room)
    about = folder / "pool.json"
    if how == ONCE or not about.exists():
        if how == ONCE:
            pool.keep()
        refs = pool.facts()
        said = json.loads(cluster.reduced(refs, steps.merge_facts))
        pool.n_rows = said["n_rows"]
        if not pool.n_rows:
            raise SalutaryError(f"{table.path}: the pool is empty")
        if settings.id:
            ids.check(cluster, refs, pool.n_rows, table, inputs, settings.id)
        write_atomic(about, json.dumps(said).encode())
    content = about.read_bytes()
    pool.n_rows = json.loads(content)["n_rows"]
    found = Findings(table.path, table.reading)
    features = facts.told(content, inputs.features, found)
    line = f"backend=ray: encode={how}{why}"
    findings = [*found.lines(), *features.findings(table.path), line]
    return EncodedPool(pool, dict(features.unseen), findings)


def _how(plan: Plan, room: float) -> tuple[str, str]:
    """Whether features are kept, and why, if nobody has said so."""
    asked, n = plan.settings.encode, plan.table.n_rows
    if asked != "auto":
        return asked, ""
    if plan.is_encoded:
        return ONCE, ", since encoders of texts and pictures take long"
    if n is None:
        return ONCE, ", since one process reads a file of this form"
    size = f"{4 * n * plan.width / 1e9:.3g} GB of features, room for {room / 1e9:.3g}"
    return (ONCE if 4 * n * plan.width <= room else EACH_ROUND), f" ({size})"
