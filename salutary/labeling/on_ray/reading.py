"""How workers read and encode a pool: a plan that all of them have, and the steps of it."""

from __future__ import annotations

import itertools
import os
import pickle
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from salutary.labeling import ids, images, texts
from salutary.labeling.on_ray import facts
from salutary.labeling.on_ray.cluster import Shared
from salutary.labeling.predictions import ids_of
from salutary.labeling.settings import LabelSettings
from salutary.system.files import directory, locked
from salutary.tables.arrow_files import ArrowFiles, Piece
from salutary.tables.features import Features
from salutary.tables.findings import Findings
from salutary.tables.places import Place
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
        place = Place.of(self.settings.files["pool"])
        if place.is_remote and not place.is_parquet_elsewhere:
            with locked(directory(None) / "remote" / "pool.lock", wait=lambda: None):
                return images.opened("pool", self.settings)  # one process of a machine copies it
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
            yield one_row(start=block.index[0], **{FRAME: _pickled(block)})


@dataclass(frozen=True)
class EncodeBlocks:
    """Chunks of the blocks of :class:`ReadAll`."""

    plan: Shared[Plan]
    wanted: Shared[np.ndarray] | None = None

    def __call__(self, table: pyarrow.Table) -> Iterator[pyarrow.Table]:
        for content in cells(table.column(FRAME)):
            yield from _encoded(self.plan.get(), [unpickled(content)], self.wanted)


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
    places = places_of(rows, block.index.to_numpy())
    return block.iloc[places] if not plan.is_encoded else block[: len(block) * bool(len(places))]


def places_of(wanted: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Where those of ``numbers``, ascending, are that are ``wanted``, ascending, too."""
    if not len(numbers):
        return np.empty(0, np.int64)
    inside = wanted[np.searchsorted(wanted, numbers[0]) : np.searchsorted(wanted, numbers[-1], side="right")]
    places = np.searchsorted(numbers, inside)
    return places[numbers[places] == inside]


def _chunk(plan: Plan, blocks: list[pd.DataFrame]) -> pyarrow.Table:
    """A row: numbers and features of rows, and what is to be told of them."""
    settings, table = plan.settings, plan.table
    features, found = plan.features.fresh(), Findings(table.path, table.reading)
    numbers, start = np.concatenate([block.index.to_numpy(np.int64) for block in blocks]), 0
    X = np.empty((len(numbers), plan.width), np.float32)
    for block in blocks:
        converted = features.schema.convert(block, table.path, table.reading, table.folder)
        features.transform_into(X[start : start + len(block)], converted, table.path)
        found.add(block, converted, features.schema)
        start += len(block)
    columns = {"numbers": numbers, "X": X}
    if settings.id:
        columns["hashes"] = np.concatenate(
            [ids.hashes_of(block[settings.id], table.path) for block in blocks]
        )
    values: dict = {name: as_bytes(array) for name, array in columns.items()}
    if settings.id and plan.with_ids:
        values["ids"] = _pickled(pd.concat([ids_of(block[settings.id]).astype(object) for block in blocks]))
    about = facts.of_chunk(features, found, int(numbers[0]))
    return one_row(start=int(numbers[0]), n=len(numbers), facts=about, **values)


def one_row(**values: object) -> pyarrow.Table:
    """Whole numbers ``start`` and ``n``, and bytes, which are not copied."""
    import pyarrow

    return pyarrow.table(
        {
            name: pyarrow.array([value]) if name in ("start", "n") else _cell(value)
            for name, value in values.items()
        }
    )


def _cell(content: object) -> pyarrow.Array:
    import pyarrow

    data = pyarrow.py_buffer(content)
    ends = pyarrow.py_buffer(np.array([0, data.size], np.int64))
    return pyarrow.LargeBinaryArray.from_buffers(pyarrow.large_binary(), 1, [None, ends, data])


def cells(column: pyarrow.ChunkedArray) -> Iterator[pyarrow.Buffer]:
    """The bytes of each row, as they lie there: PyArrow's own access copies them."""
    for chunk in column.chunks:
        _, ends, data = chunk.buffers()
        places = np.frombuffer(ends, np.int64)[chunk.offset :][: len(chunk) + 1].tolist()
        for start, end in itertools.pairwise(places):
            yield data.slice(start, end - start)


def as_bytes(array: Any) -> memoryview:
    """Of an array, as they are."""
    together: Any = np.ascontiguousarray(array)
    return memoryview(together).cast("B") if len(array) else memoryview(b"")


def _pickled(values: object) -> bytes:
    """For another process of this program: frames hold values of any kinds."""
    return pickle.dumps(values, protocol=5)


def unpickled(content: object) -> pd.DataFrame:
    """Of a worker of this run, by Ray, which hands all things over so; never of a file."""
    return pickle.loads(content)  # type: ignore[arg-type]
