"""Parsed tables, kept between processes: what takes long to parse is parsed once."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from salutary.datasets import Table
from salutary.system.environment import code
from salutary.system.files import checksum, directory, write_atomic
from salutary.tables.columns import Columns
from salutary.tables.groups import Groups
from salutary.tables.schema import Schema

log = logging.getLogger(__name__)

# Tables that are parsed in less are not kept: reading them back would hardly be faster.
WORTH_SECONDS = 0.2


class TableCache:
    """Tables in ``cache_dir``, by default the user's cache: ``tables/<data>-<settings>.npz``.

    A table is that of the contents of its raw files, of the settings of its data set, and of the code that
    parsed it. A file of others, or a damaged one, is not used, and replaced; a folder that cannot be written
    keeps nothing.
    """

    def __init__(self, cache_dir: str | Path | None = None):
        self.folder = directory(cache_dir) / "tables"

    def table(self, dataset: object, files: Sequence[Path], parse: Callable[[], Table]) -> Table:
        """The table that ``parse`` makes of ``files`` for a data set, whose attributes are its settings.

        Raises what ``parse`` raises.
        """
        settings = _settings(dataset)
        plain = re.sub(r"\W+", "_", dataset.__class__.__name__.lower())
        path = self.folder / f"{plain}-{_checksum(settings)[:16]}.npz"
        key = _key(dataset, settings, files)
        if key and (kept := _read(path, key)):
            log.info("the table is kept in %s", path)
            return kept
        started = time.perf_counter()
        table = parse()
        # What changed while it was parsed may be neither the one nor the other.
        if key and time.perf_counter() - started >= WORTH_SECONDS and key == _key(dataset, settings, files):
            _keep(path, table, key)
        return table


def _settings(dataset: object) -> str:
    """The class of a data set and what it was told, but for where to keep its table, and what groups are made
    of it afterwards.
    """
    told = {name: value for name, value in vars(dataset).items() if name not in ("cache_dir", "grouping")}
    kind = type(dataset)
    return json.dumps([f"{kind.__module__}.{kind.__qualname__}", told], sort_keys=True, default=str)


def _key(dataset: object, settings: str, files: Sequence[Path]) -> str | None:
    """Of all that decides the table; None where that cannot be told."""
    made_by = code(frozenset(kind.__module__.partition(".")[0] for kind in type(dataset).__mro__[:-1]))
    if made_by is None:
        return None
    try:
        contents = [checksum(path) for path in files]
    except OSError:  # the data set says what is wrong
        return None
    return _checksum(json.dumps([settings, made_by, contents]))


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()


def _keep(path: Path, table: Table, key: str) -> None:
    """Write the table, if it can be told in arrays and JSON, and if the folder can be written."""
    about, arrays = packed(table)
    if about is None:
        return
    text = json.dumps({"key": key, "checksum": _of(about, arrays), "about": about})
    buffer = io.BytesIO()
    np.savez(buffer, text=np.frombuffer(text.encode(), np.uint8), **arrays)
    try:
        write_atomic(path, buffer.getvalue())
    except OSError as error:
        log.info("%s cannot be written (%s): the table is not kept", path, error.strerror)


def _read(path: Path, key: str) -> Table | None:
    """The table in a file, if it is whole and the one of this key."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            text = json.loads(stored["text"].tobytes())
            if text["key"] != key:
                return None
            arrays = {name: stored[name] for name in stored.files if name != "text"}
        if text["checksum"] != _of(text["about"], arrays):
            return None
        return unpacked(text["about"], arrays)
    except FileNotFoundError:
        return None
    except Exception as error:  # a damaged file can fail in many ways, and costs one parse only
        log.info("%s is damaged (%s): it is made again", path, error)
        return None


def _of(about: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str:
    """Checksum of a packed table."""
    digest = hashlib.sha256(json.dumps(about).encode())
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def packed(table: Table) -> tuple[dict[str, Any] | None, dict[str, np.ndarray]]:
    """A table as what JSON can hold, and arrays without objects; None for categories that are no texts.

    Numbers and categories are in X already; what is kept of them beside it is the names of the categories.
    """
    about: dict[str, Any] = {"class_names": table.class_names, "encoder": table.encoder, "columns": None}
    arrays = {"X": table.X, "y": table.y}
    about["feature_names"] = table.feature_names
    if table.roles is not None:
        arrays["roles"] = np.asarray(table.roles, str)
    if table.groups is not None:
        about["groups"], arrays["groups"] = table.groups.names, table.groups.numbers
    if columns := table.columns:
        schema, frame = columns.schema, columns.frame
        texts = [frame[name].astype("category").cat.categories.tolist() for name in schema.categorical]
        if not all(isinstance(text, str) for each in texts for text in each):
            return None, {}
        about["columns"] = {
            "schema": [schema.numeric, schema.categorical, schema.left_out],
            "texts": texts,
            "parts": [[str(path), len(part)] for path, part in columns.parts],
            "findings": columns.findings,
        }
    return about, arrays


def unpacked(about: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Table:
    """The table that was :func:`packed`."""
    X, told = arrays["X"], about["columns"]
    columns = None
    if told:
        numeric, categorical, left_out = told["schema"]
        schema = Schema(tuple(numeric), tuple(categorical), left_out)
        values = {name: pd.Series(X[:, place].copy()) for place, name in enumerate(numeric)}
        for place, (name, texts) in enumerate(zip(categorical, told["texts"], strict=True), len(numeric)):
            named = np.array([*texts, np.nan], object)  # the last one is that of no value, -1
            codes = np.nan_to_num(X[:, place], nan=-1).astype(np.int64)
            values[name] = pd.Series(named[codes], dtype=object)
        frame, parts, start = pd.DataFrame(values), [], 0
        for path, n in told["parts"]:
            parts.append((path, frame.iloc[start : start + n].reset_index(drop=True)))
            start += n
        columns = Columns(schema, parts, tuple(told["findings"]))
    groups = Groups(arrays["groups"], tuple(about["groups"])) if "groups" in arrays else None
    names = tuple(about["feature_names"]) if about["feature_names"] else None
    roles, class_names = arrays.get("roles"), tuple(about["class_names"])
    return Table(X, arrays["y"], class_names, about["encoder"], columns, roles, groups, names)
