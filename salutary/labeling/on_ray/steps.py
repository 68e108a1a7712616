"""What workers do with encoded chunks of a pool: rank their rows, take some of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from salutary.labeling.on_ray import facts
from salutary.labeling.on_ray.cluster import Shared
from salutary.labeling.on_ray.reading import as_bytes, cells, one_row, places_of
from salutary.labeling.pool import BLOCK_BYTES
from salutary.labeling.ranking import Score, best_rows

if TYPE_CHECKING:
    import pyarrow


def chunks_of(table: pyarrow.Table) -> Iterator[dict[str, np.ndarray]]:
    """Arrays of each chunk, by name; ``X`` (n, d)."""
    names = [name for name in ARRAYS if name in table.column_names]
    for contents in zip(*(cells(table.column(name)) for name in names), strict=True):
        yield {name: _array(name, content) for name, content in zip(names, contents, strict=True)}


ARRAYS = {
    **{"numbers": np.int64, "X": np.float32, "hashes": np.uint64},
    **{"model": np.int64, "row": np.int64, "score": np.float32},
}


def _array(name: str, content: object) -> np.ndarray:
    return np.frombuffer(content, ARRAYS[name])  # type: ignore[call-overload]


def matrix(chunk: dict[str, np.ndarray]) -> np.ndarray:
    """The features (n, d) of a chunk."""
    return chunk["X"].reshape(len(chunk["numbers"]), -1)


@dataclass(frozen=True)
class OnlyFacts:
    """Of encoded chunks what is to be told, and their ids."""

    def __call__(self, table: pyarrow.Table) -> Iterator[pyarrow.Table]:
        yield table.select([name for name in ("facts", "numbers", "hashes") if name in table.column_names])


@dataclass(frozen=True)
class Ranking:
    """``score``, ``taken`` and ``n`` as in :func:`salutary.labeling.ranking.best_rows`."""

    score: Score
    taken: list[np.ndarray]
    n: int


# Of a ranking, by model: what a score has to exceed, known from the chunks that this process has seen. It
# saves work and decides nothing: a process that begins anew gives more rows.
_floors: dict[str, list[float]] = {}


@dataclass(frozen=True)
class Rank:
    """The best rows of each chunk by each model, as :func:`ranked` has them. ``with_rows``: and, of all these
    rows, ``numbers`` and ``X``.
    """

    ranking: Shared[Ranking]
    device: str
    with_rows: bool

    def __call__(self, table: pyarrow.Table) -> Iterator[pyarrow.Table]:
        for chunk in chunks_of(table):
            found = self._best(chunk)
            if self.with_rows:
                found["numbers"] = np.unique(found["row"])
                found["X"] = matrix(chunk)[found["numbers"] - chunk["numbers"][0]]
            yield one_row(**{name: as_bytes(array) for name, array in found.items()})

    def _best(self, chunk: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        ranking, device = self.ranking.get(), torch.device(self.device)
        floors = _floors.setdefault(self.ranking.key, [-np.inf] * len(ranking.taken))
        for old in [key for key in _floors if key != self.ranking.key]:
            del _floors[old]
        blocks = _blocks(chunk["numbers"][0], matrix(chunk), device)
        best = best_rows(blocks, ranking.score.to(device), ranking.taken, ranking.n, _before(floors))
        floors[:] = [max(floor, rows.floor) for floor, rows in zip(floors, best, strict=True)]
        found = [[each.numpy(force=True) for each in rows.columns()[:2]] for rows in best]
        return {
            "model": np.repeat(np.arange(len(best)), [len(rows) for rows, _ in found]),
            "row": np.concatenate([rows for rows, _ in found]),
            "score": np.concatenate([scores.astype(np.float32) for _, scores in found]),
        }


def _before(floors: list[float]) -> list[float]:
    """A row that is as good as the floor may come before it in the file: chunks come in any order."""
    return [float(np.nextafter(np.float32(each), np.float32(-np.inf))) for each in floors]


def _blocks(start: int, X: np.ndarray, device: torch.device) -> Iterator[tuple[int, torch.Tensor]]:
    size = max(1, BLOCK_BYTES // (4 * X.shape[1]))
    for first in range(0, len(X), size):
        yield int(start) + first, torch.from_numpy(np.array(X[first : first + size])).to(device)


def merge_ranked(n: int, *tables: pyarrow.Table) -> pyarrow.Table:
    """The ``n`` best rows by each model, of several that :class:`Rank` gives."""
    together = ranked(*tables)
    kept = [np.empty(0, np.int64)]
    for model in np.unique(together["model"]):
        (places,) = np.nonzero(together["model"] == model)
        order = np.lexsort((together["row"][places], -together["score"][places]))
        kept.append(places[order[:n]])
    rows = np.concatenate(kept)
    return one_row(**{name: as_bytes(values[rows]) for name, values in together.items()})


def ranked(*tables: pyarrow.Table) -> dict[str, np.ndarray]:
    """``model``, ``row`` and ``score`` of all."""
    chunks = [chunk for table in tables for chunk in chunks_of(table)]
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in ("model", "row", "score")}


@dataclass(frozen=True)
class Take:
    """The wanted rows, ascending, of encoded chunks: ``numbers`` and ``X``."""

    wanted: Shared[np.ndarray]

    def __call__(self, table: pyarrow.Table) -> Iterator[pyarrow.Table]:
        for chunk in chunks_of(table):
            places = places_of(self.wanted.get(), chunk["numbers"])
            if len(places):
                numbers, X = chunk["numbers"][places], matrix(chunk)[places]
                yield one_row(numbers=as_bytes(numbers), X=as_bytes(X))


def merge_facts(*found: pyarrow.Table | bytes) -> bytes:
    """What is to be told of all chunks together."""
    each = [[one] if isinstance(one, bytes) else one["facts"].to_pylist() for one in found]
    return facts.merged(fact for several in each for fact in several)
