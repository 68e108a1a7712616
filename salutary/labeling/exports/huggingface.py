"""A folder that ``datasets.load_dataset`` reads: the pool as Parquet, with a README that tells its types.

datasets.load_dataset("labels/datasets", split="pool")
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from salutary.labeling.exports.blocks import About, Block

if TYPE_CHECKING:
    import pyarrow

FILE = "data/pool-00000-of-00001.parquet"
PREDICTION = "prediction"


@contextlib.contextmanager
def writer(folder: Path, about: About) -> Iterator[Callable[[Block], None]]:
    """Into datasets/: README.md and data/. Needs PyArrow."""
    import pyarrow
    from pyarrow.parquet import ParquetWriter

    place = folder / "datasets"
    (place / FILE).parent.mkdir(parents=True)
    with contextlib.ExitStack() as stack:
        writers: list[ParquetWriter] = []

        def add(block: Block) -> None:
            values = _columns(block, about)
            if not writers:
                schema = _schema(values, about)
                writers.append(stack.enter_context(ParquetWriter(place / FILE, schema)))
                (place / "README.md").write_text(_readme(values, about), encoding="utf-8")
            arrays = [
                pyarrow.array(array, field.type, from_pandas=True)
                for array, field in zip(values.values(), writers[0].schema, strict=True)
            ]
            writers[0].write_table(pyarrow.Table.from_arrays(arrays, schema=writers[0].schema))

        yield add


def _columns(block: Block, about: About) -> dict[str, np.ndarray]:
    """All columns, by name: the pool's own give way to those that are made."""
    made = {PREDICTION: block.predicted}
    made |= {f"probability_{name}": block.P[:, place] for place, name in enumerate(about.classes)}
    own = {name: values for name, values in block.columns.items() if name not in made}
    return {about.id or "row": block.names, **own, **made}


def _kind(name: str, values: np.ndarray) -> str:
    return "int64" if name == PREDICTION else "string" if values.dtype == object else "float64"


def _schema(values: dict[str, np.ndarray], about: About) -> pyarrow.Schema:
    import pyarrow

    kinds = {name: _kind(name, each) for name, each in values.items()}
    features: dict[str, Any] = {name: {"dtype": kind, "_type": "Value"} for name, kind in kinds.items()}
    features[PREDICTION] = {"names": list(about.classes), "_type": "ClassLabel"}
    fields = [(name, getattr(pyarrow, kind)()) for name, kind in kinds.items()]
    told = json.dumps({"info": {"features": features}})
    return pyarrow.schema(fields, metadata={"huggingface": told})


def _readme(values: dict[str, np.ndarray], about: About) -> str:
    """The card, whose head says where the data are and what they hold."""
    features: list[dict[str, Any]] = [
        {"name": name, "dtype": _kind(name, each)} for name, each in values.items()
    ]
    names = {str(number): name for number, name in enumerate(about.classes)}
    for feature in features:
        if feature["name"] == PREDICTION:
            feature["dtype"] = {"class_label": {"names": names}}
    files = [{"split": "pool", "path": "data/pool-*"}]
    head = {
        "task_categories": ["tabular-classification"],
        "dataset_info": {"features": features},
        "configs": [{"config_name": "default", "data_files": files}],
    }
    text = yaml.safe_dump(head, sort_keys=False, allow_unicode=True)
    return f"""---
{text}---

# A pool, and what a model predicts of `{about.target}`

`{PREDICTION}` and `probability_...` are of {about.model}, not of a human.
"""
