"""Objects in place of a configuration's groups: how records name them.

A run is a function of its configuration, and so is its name. Of an object the configuration has the class,
a checksum of the source of the class, and its parameters, arrays by their checksums.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import reprlib
import sys
import types
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch

from salutary.datasets import Table
from salutary.errors import SalutaryError
from salutary.experiments.contents import contents_of_object

PLAIN = (bool, int, float, str, type(None))
METHODS = (types.FunctionType, staticmethod, classmethod, property)
# Packages whose versions are in the records; the program's is part of a run's name.
VERSIONED = {"salutary", "torch", "sklearn", "numpy", "pandas", *sys.stdlib_module_names} - {"__main__"}


def name_of(thing: object) -> str:
    """What a run calls it where it is given no name: that of its class or function."""
    if isinstance(thing, functools.partial):
        return name_of(thing.func)
    named = thing if isinstance(thing, type | types.FunctionType) else type(thing)
    return named.__name__


def described(thing: object, group: str) -> dict[str, Any]:
    """What a configuration has in place of the ``group`` for which the object stands.

    Raises SalutaryError, naming it, for a parameter that cannot be told from another one.
    """
    about = _described(thing, group)
    if not isinstance(about, dict):
        raise SalutaryError(f"{group} must be a name or an object, not {shortened(thing)}")
    if group == "dataset" and (found := contents_of_object(thing)):
        about["contents"] = found
    return about


def shortened(thing: object) -> str:
    """For one line."""
    return reprlib.repr(thing).replace("\n", " ")


def _described(value: Any, place: str) -> Any:
    if isinstance(value, PLAIN):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {str(name): _described(each, f"{place}[{name!r}]") for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset | range):
        each = [_described(one, place) for one in value]
        return sorted(each, key=str) if isinstance(value, set | frozenset) else each
    if isinstance(value, np.ndarray | torch.Tensor | pd.DataFrame | pd.Series):
        return checksum(value)
    if isinstance(value, Table):
        return _table(value)
    if isinstance(value, type | types.FunctionType | types.BuiltinFunctionType):
        return {"object": _path(value), "source": source_checksum(value)}
    if isinstance(value, functools.partial):
        of = {"arguments": value.args, "parameters": value.keywords}
        return {**_described(value.func, place), **_described(of, place)}
    if isinstance(value, types.ModuleType | types.MethodType | types.GeneratorType) or not _has_state(value):
        raise SalutaryError(f"{place} is a {type(value).__name__}, which no record can name")
    kind = type(value)
    state = {name: each for name, each in _parameters(value).items() if not name.startswith("__")}
    parameters = {name: _described(each, f"{place}.{name}") for name, each in state.items()}
    return {"object": _path(kind), "source": source_checksum(kind), "parameters": parameters}


def _has_state(value: object) -> bool:
    return hasattr(value, "get_params") or hasattr(value, "__dict__")


def _parameters(value: Any) -> dict[str, Any]:
    """As scikit-learn tells them, else all that the object holds."""
    if hasattr(value, "get_params"):
        return value.get_params(deep=False)
    return vars(value)


def _table(table: Table) -> dict[str, Any]:
    """A table is what it holds; of what its features are made of, that too."""
    groups, columns = table.groups, table.columns
    parts = {
        "roles": table.roles,
        "groups": None if groups is None else groups.numbers,
        "columns": None if columns is None else columns.frame,
    }
    about = {"object": _path(Table), "sha256": table.sha256, "class_names": list(table.class_names)}
    return about | {name: checksum(part) for name, part in parts.items() if part is not None}


def checksum(values: np.ndarray | torch.Tensor | pd.DataFrame | pd.Series) -> str:
    """``sha256:`` of the values and what they are."""
    if isinstance(values, pd.DataFrame | pd.Series):
        hashes = pd.util.hash_pandas_object(values.reset_index(drop=True), index=False).to_numpy()
        about = values.dtypes.to_dict() if isinstance(values, pd.DataFrame) else values.dtype
        return _sha256(str(about).encode(), hashes.tobytes())
    array = values.numpy(force=True) if isinstance(values, torch.Tensor) else values
    if array.dtype.kind == "O":
        return checksum(pd.Series(array.ravel()).astype(object).map(repr))
    return _sha256(f"{array.dtype} {array.shape}".encode(), np.ascontiguousarray(array).tobytes())


def source_checksum(thing: type | types.FunctionType | types.BuiltinFunctionType) -> str:
    """Of the source of a function, or of the methods and settings of a class and its own bases.

    Of what was typed into a terminal, whose source is not to be had, it is that of what Python made of it.
    """
    if isinstance(thing, type):
        members = [(k, name, each) for k in _own_bases(thing) for name, each in vars(k).items()]
        values = {f"{kind.__qualname__}.{n}": repr(v) for kind, n, v in members if _is_setting(n, v)}
        return _sha256(repr(values).encode(), *(_source(v) for _, _, v in members if isinstance(v, METHODS)))
    return _sha256(_source(thing))


def _own_bases(kind: type) -> list[type]:
    """The class and its bases, but for those whose version a record has."""
    return [base for base in kind.__mro__ if base.__module__.partition(".")[0] not in VERSIONED]


def _is_setting(name: str, value: object) -> bool:
    return isinstance(value, (*PLAIN, tuple)) and not name.startswith("__")


def _source(function: Any) -> bytes:
    plain = getattr(function, "__func__", None) or getattr(function, "fget", None) or function
    try:
        return inspect.getsource(plain).encode()
    except (OSError, TypeError):
        code = getattr(plain, "__code__", None)
        return b"" if code is None else _compiled(code)


def _compiled(code: types.CodeType) -> bytes:
    constants = [_compiled(each) if inspect.iscode(each) else repr(each).encode() for each in code.co_consts]
    return b"|".join([code.co_code, repr(code.co_names).encode(), *constants])


def _path(thing: Any) -> str:
    return f"{getattr(thing, '__module__', '')}.{getattr(thing, '__qualname__', thing)}"


def _sha256(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return f"sha256:{digest.hexdigest()}"
