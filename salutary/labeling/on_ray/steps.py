"""What workers do with a pool: read and encode it, rank its rows, take some of them."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch

from salutary.labeling import images, texts
from salutary.labeling.on_ray import facts
from salutary.labeling.on_ray.cluster import Shared
from salutary.labeling.pool import BLOCK_BYTES, id_hashes
from salutary.labeling.predictions import ids_of
from salutary.labeling.ranking import Score, best_rows
from salutary.labeling.settings import LabelSettings
from salutary.tables.arrow_files import ArrowFiles, Piece
from salutary.tables.features import Features
from salutary.tables.findings import Findings
from salutary.tables.table_file import TableFile

if TYPE_CHECKING:
    import pyarrow

FRAME = "frame"


@dataclass
class Plan:
    """How a pool is read and encoded. ``width``: its number of features; ``chunk_rows``: of one chunk;
    ``with_ids``: they are kept, for predictions. ``folder``: which names of files are relative to.
    """

    settings: LabelSettings
    features: Features
    width: int
    chunk_rows: int
    with_ids: bool = False
    folder: str = field(default_factory=os.getcwd)

    def __getstate__(self) -> dict:
        """Each process opens the table itself."""
        return {name: value for name, value in vars(self).items() if name != "table"}

    @cached_property
    def table(self) -> TableFile:
        if os.path.isdir(self.folder):
            os.chdir(self.folder)
        return images.opened("pool", self.settings)

    @property
    def columns(self) -> list[str]:
        name = self.settings.id
        return [*dict.fromkeys([*self.features.schema.used, *([name] if name else [])])]

    @property
    def is_split(self) -> bool:
        """Whether workers read parts of the table by themselves. Of texts and pictures the pieces that are
        encoded together have to be those of one process, since encoders round by what is beside a row.
        """
        return isinstance(self.table, ArrowFiles) and not self.is_encoded

    @property
    def is_encoded(self) -> bool:
        """Whether there are texts or pictures."""
        return bool(self.features.schema.texts or self.features.schema.images)

    @property
    def pieces(self) -> list[Piece]:
        assert isinstance(self.table, ArrowFiles)
        return self.table.pieces(self.chunk_rows)


@dataclass(frozen=True)
class ReadPiece:
    """Chunks of the pieces of a table. ``wanted``: numbers of rows, ascending, and no others are encoded."""

    plan: Shared[Plan]
    wanted: Shared[np.ndarray] | None = None

    def __call__(self, table: pyarrow.Table) -> Iterator[pyarrow.Table]:
        plan = self.plan.get()
        assert isinstance(plan.table, ArrowFiles)
        for row in table.to_pylist():
            piece = Piece(row["file"], range(row["first"], row["stop"]), row["start"], row["n_rows"])
            yield from _encoded(plan, plan.table.blocks_of(piece, plan.columns), self.wanted)


@dataclass(frozen=True)
class ReadAll:
    """All blocks of a table that one process has to read, one after another."""

    plan: Shared[Plan]

    def __call__(self, table: pyarrow.Table) -> Iterator[pyarrow.Table]:
        plan = self.plan.get()
        for block in texts.pieces(plan.table.blocks(plan.columns), plan.features):
            yield _row(start=block.index[0], **{FRAME: _pickled(block)})


@dataclass(frozen=True)
class EncodeBlocks:
    """Chunks of the blocks of :class:`ReadAll`."""

    plan: Shared[Plan]
    wanted: Shared[np.ndarray] | None = None

    def __call__(self, table: pyarrow.Table) -> Iterator[pyarrow.Table]:
        for block in table.column(FRAME):
            yield from _encoded(self.plan.get(), [_unpickled(block.as_buffer())], self.wanted)


def _encoded(
    plan: Plan, blocks: Iterable[pd.DataFrame], wanted: Shared[np.ndarray] | None
) -> Iterator[pyarrow.Table]:
    """Of consecutive blocks, in chunks; of ``wanted`` rows those alone."""
    waiting: list[pd.DataFrame] = []
    for block in blocks:
        if wanted is not None:
            block = _wanted(block, wanted.get(), plan)
        waiting += [block] if len(block) else []
        if sum(map(len, waiting)) >= plan.chunk_rows or (waiting and plan.is_encoded):
            yield _chunk(plan, waiting)
            waiting = []
    if waiting:
        yield _chunk(plan, waiting)


def _wanted(block: pd.DataFrame, rows: np.ndarray, plan: Plan) -> pd.DataFrame:
    """The wanted rows; of texts and pictures all, if any."""
    inside = np.isin(block.index.to_numpy(), rows)
    return block[inside] if not plan.is_encoded else block[: len(block) * bool(inside.any())]


def _chunk(plan: Plan, blocks: list[pd.DataFrame]) -> pyarrow.Table:
    """A row: numbers and features of rows, and what is to be told of them."""
    settings, table = plan.settings, plan.table
    features, found, parts = plan.features.fresh(), Findings(table.path, table.reading), []
    for block in blocks:
        converted = features.schema.convert(block, table.path, table.reading, table.folder)
        parts.append(features.transform(converted, table.path, np.float32))
        found.add(block, converted, features.schema)
    numbers = np.concatenate([block.index.to_numpy(np.int64) for block in blocks])
    columns = {"numbers": numbers, "X": np.concatenate(parts)}
    if settings.id:
        columns["hashes"] = np.concatenate([id_hashes(block[settings.id], table.path) for block in blocks])
    values: dict = {name: memoryview(array).cast("B") for name, array in columns.items()}
    if settings.id and plan.with_ids:
        values["ids"] = _pickled(pd.concat([ids_of(block[settings.id]).astype(object) for block in blocks]))
    about = facts.of_chunk(features, found, int(numbers[0]))
    return _row(start=int(numbers[0]), n=len(numbers), facts=about, **values)


def _row(**values: object) -> pyarrow.Table:
    import pyarrow

    kinds = {name: pyarrow.int64() if name in ("start", "n") else pyarrow.large_binary() for name in values}
    return pyarrow.table({name: pyarrow.array([value], kinds[name]) for name, value in values.items()})


def _pickled(values: object) -> bytes:
    """For another process of this program: frames hold values of any kinds."""
    return pickle.dumps(values, protocol=5)


def _unpickled(content: object) -> pd.DataFrame:
    return pickle.loads(content)  # type: ignore[arg-type]


def chunks_of(table: pyarrow.Table) -> Iterator[dict[str, np.ndarray]]:
    """Arrays of each chunk, by name; ``X`` (n, d)."""
    for row in range(table.num_rows):
        yield {
            name: _array(name, table.column(name)[row].as_buffer())
            for name in ARRAYS
            if name in table.column_names
        }


ARRAYS = {"numbers": np.int64, "X": np.float32, "hashes": np.uint64}


def _array(name: str, content: object) -> np.ndarray:
    return np.frombuffer(content, ARRAYS[name])  # type: ignore[call-overload]


def matrix(chunk: dict[str, np.ndarray]) -> np.ndarray:
    """The features (n, d) of a chunk."""
    return chunk["X"].reshape(len(chunk["numbers"]), -1)


@dataclass(frozen=True)
class OnlyFacts:
    """Of encoded chunks what is to be told, and their ids; ``before``: what encodes them, if it is this."""

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
    """The best rows of each chunk by each model: ``model``, ``row``, ``score``."""

    ranking: Shared[Ranking]
    device: str

    def __call__(self, table: pyarrow.Table) -> Iterator[pyarrow.Table]:
        import pyarrow

        ranking, device = self.ranking.get(), torch.device(self.device)
        floors = _floors.setdefault(self.ranking.key, [-np.inf] * len(ranking.taken))
        for old in [key for key in _floors if key != self.ranking.key]:
            del _floors[old]
        for chunk in chunks_of(table):
            blocks = _blocks(chunk["numbers"][0], matrix(chunk), device)
            score = ranking.score.to(device)
            best = best_rows(blocks, score, ranking.taken, ranking.n, _before(floors))
            floors[:] = [max(floor, rows.floor) for floor, rows in zip(floors, best, strict=True)]
            found = [rows.columns()[:2] for rows in best]
            yield pyarrow.table(
                {
                    "model": np.repeat(np.arange(len(best)), [len(rows) for rows, _ in found]),
                    "row": np.concatenate([rows.numpy(force=True) for rows, _ in found]),
                    "score": np.concatenate(
                        [scores.numpy(force=True).astype(np.float32) for _, scores in found]
                    ),
                }
            )


def _before(floors: list[float]) -> list[float]:
    """A row that is as good as the floor may come before it in the file: chunks come in any order."""
    return [float(np.nextafter(np.float32(each), np.float32(-np.inf))) for each in floors]


def _blocks(start: int, X: np.ndarray, device: torch.device) -> Iterator[tuple[int, torch.Tensor]]:
    size = max(1, BLOCK_BYTES // (4 * X.shape[1]))
    for first in range(0, len(X), size):
        yield int(start) + first, torch.from_numpy(np.array(X[first : first + size])).to(device)


def merge_ranked(n: int, *tables: pyarrow.Table) -> pyarrow.Table:
    """The ``n`` best rows by each model, of several such tables."""
    import pyarrow

    together = {
        name: np.concatenate([table[name].to_numpy() for table in tables])
        for name in ("model", "row", "score")
    }
    kept = []
    for model in np.unique(together["model"]):
        (places,) = np.nonzero(together["model"] == model)
        order = np.lexsort((together["row"][places], -together["score"][places]))
        kept.append(places[order[:n]])
    rows = np.concatenate(kept) if kept else np.empty(0, np.int64)
    return pyarrow.table({name: values[rows] for name, values in together.items()})


@dataclass(frozen=True)
class Take:
    """The wanted rows, ascending, of encoded chunks: ``numbers`` and ``X``."""

    wanted: Shared[np.ndarray]

    def __call__(self, table: pyarrow.Table) -> Iterator[pyarrow.Table]:
        for chunk in chunks_of(table):
            places = np.flatnonzero(np.isin(chunk["numbers"], self.wanted.get(), assume_unique=True))
            if len(places):
                numbers, X = chunk["numbers"][places], matrix(chunk)[places]
                yield _row(numbers=memoryview(numbers).cast("B"), X=memoryview(X).cast("B"))


def merge_facts(*found: pyarrow.Table | bytes) -> bytes:
    """What is to be told of all chunks together."""
    each = [[one] if isinstance(one, bytes) else one["facts"].to_pylist() for one in found]
    return facts.merged(fact for several in each for fact in several)
