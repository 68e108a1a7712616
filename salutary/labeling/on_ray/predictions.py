"""Predictions for a pool on a Ray cluster: each worker writes what it predicts, a Parquet file a chunk."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from salutary.errors import SalutaryError
from salutary.labeling.on_ray import steps
from salutary.labeling.on_ray.cluster import Cluster, Shared
from salutary.labeling.on_ray.reading import cells, unpickled
from salutary.labeling.predictions import GROUP_ROWS, predicted, schema_of
from salutary.system.files import whole_file, whole_folder
from salutary.tables.labels import Classes

if TYPE_CHECKING:
    import pyarrow
    import ray.data

Predict = Callable[[np.ndarray], np.ndarray]
PART = "part-{:012}.parquet"


@dataclass(frozen=True)
class WriteParts:
    """A part for each chunk of encoded rows; gives the kinds of their first column."""

    told: Shared[tuple[Predict, Classes, str | None]]
    folder: Path

    def __call__(self, table: pyarrow.Table) -> Iterator[pyarrow.Table]:
        import pyarrow
        from pyarrow.parquet import write_table

        predict_proba, classes, id_column = self.told.get()
        ids = cells(table.column("ids")) if id_column else itertools.repeat(b"")
        for content, chunk in zip(ids, steps.chunks_of(table), strict=False):
            X = steps.matrix(chunk)
            groups = [np.array(X[start : start + GROUP_ROWS]) for start in range(0, len(X), GROUP_ROWS)]
            found = predicted(np.concatenate([predict_proba(group) for group in groups]), classes)
            named = pd.DataFrame({"row": chunk["numbers"]})
            if id_column:
                values = unpickled(content).to_numpy()
                named = pd.DataFrame({id_column: values}).infer_objects()
            frame = pd.concat([named, found], axis=1)
            part = pyarrow.Table.from_pandas(frame, schema_of(frame), preserve_index=False)
            with whole_file(self.folder / PART.format(chunk["numbers"][0])) as building:
                write_table(part, building)
            yield pyarrow.table({"kind": [str(part.schema.types[0])], "n": [len(frame)]})


def write_parts(
    cluster: Cluster,
    chunks: ray.data.Dataset,
    path: Path,
    id_column: str | None,
    predict_proba: Predict,
    classes: Classes,
    title: str,
    total: int | None,
) -> None:
    """The folder ``path`` of Parquet files in the order of the pool's rows, with the columns of
    :func:`salutary.labeling.predictions.write_predictions`. It is there whole or not at all.

    It has to be where all workers write. Raises SalutaryError for ids that are not of one kind.
    """
    with whole_folder(path.resolve()) as folder:
        step = WriteParts(Shared((predict_proba, classes, id_column)), folder)
        refs = cluster.blocks(cluster.mapped(chunks, step), title, total, True)
        n, kinds = cluster.reduced(refs, merge_kinds)
        if len(kinds) > 1:
            problem = f"its values are not of one kind: {' and '.join(sorted(kinds))}"
            raise SalutaryError(f"column {id_column} of the pool: {problem}")
        for unfinished in folder.glob(".*"):  # of workers that were killed
            unfinished.unlink()
        if len([*folder.iterdir()]) != n:
            raise SalutaryError(f"{path}: workers write elsewhere; put it where all machines see it")


def merge_kinds(*found: pyarrow.Table | tuple[int, set[str]]) -> tuple[int, set[str]]:
    """How many parts there are, and the kinds of their names."""
    pairs = [
        each if isinstance(each, tuple) else (each.num_rows, {*each["kind"].to_pylist()}) for each in found
    ]
    return sum(n for n, _ in pairs), {kind for _, kinds in pairs for kind in kinds}
