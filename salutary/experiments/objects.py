"""Objects in place of a configuration's groups: how records name them.

A run is a function of its configuration, and so is its name. Of an object the configuration has the class, a
checksum of its code and of what of the user's own that calls, and its state, arrays by their checksums. Code
is what Python has loaded, not what stands in a file that may have changed since.
"""

from __future__ import annotations

import datetime
import enum
import functools
import hashlib
import json
import reprlib
import sys
import types
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

import numpy as np
import pandas as pd
import torch

from salutary.datasets import Table
from salutary.errors import SalutaryError

PLAIN = (bool, int, float, str, type(None))
FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType, np.ufunc)
# What a text says all of.
TOLD_BY_TEXT = (
    *(PurePath, np.dtype, torch.dtype, torch.device, np.datetime64, np.timedelta64, complex),
    *(datetime.date, datetime.time, datetime.timedelta, pd.Timestamp, pd.Timedelta),
)
# Packages whose versions are in the records; the program's is part of a run's name.
VERSIONED = {"salutary", "torch", "sklearn", "numpy", "pandas", "scipy", *sys.stdlib_module_names}
VERSIONED -= {"__main__"}
# What Python notes of a class, and is not what its author wrote.
NOTES = {
    *("__dict__", "__weakref__", "__module__", "__doc__", "__qualname__", "__annotations__", "__slots__"),
    *("__abstractmethods__", "_abc_impl", "__dataclass_fields__", "__dataclass_params__", "__match_args__"),
    *("__parameters__", "__orig_bases__", "__firstlineno__", "__static_attributes__", "__hash__"),
}


def name_of(thing: object) -> str:
    """What a run calls it where it is given no name: that of its class or function."""
    if isinstance(thing, functools.partial):
        return name_of(thing.func)
    named = thing if isinstance(thing, type | types.FunctionType) else type(thing)
    return named.__name__


def described(thing: object, group: str) -> dict[str, Any]:
    """What a configuration has in place of the ``group`` for which the object stands.

    Raises SalutaryError, naming it, for what cannot be told from another.
    """
    about = _Describer().of(thing, group)
    if not isinstance(about, dict):
        raise SalutaryError(f"{group} must be a name or an object, not {shortened(thing)}")
    return about


def described_table(table: Table) -> dict[str, Any]:
    """A table is what it holds; of what its features are made of, that too."""
    groups, columns = table.groups, table.columns
    parts = {
        "roles": table.roles,
        "groups": None if groups is None else groups.numbers,
        "columns": None if columns is None else columns.frame,
    }
    about = {"object": _path(Table), "sha256": table.sha256, "class_names": list(table.class_names)}
    return about | {name: checksum(part) for name, part in parts.items() if part is not None}


def shortened(thing: object) -> str:
    """For one line."""
    return " ".join(reprlib.repr(thing).split())


class _Describer:
    """Describes a value, whatever refers to whatever; what comes again is told by its number."""

    def __init__(self) -> None:
        self._seen: dict[int, int] = {}
        self._kept: list[object] = []  # so that no other object gets the id of one that was seen

    def of(self, value: Any, place: str) -> Any:
        if type(value) in PLAIN:
            return value if not isinstance(value, str) else value.encode(errors="backslashreplace").decode()
        if isinstance(value, TOLD_BY_TEXT):
            return f"{type(value).__name__} {value}"
        if isinstance(value, np.generic):
            return self.of(value.item(), place)
        if isinstance(value, np.ndarray | torch.Tensor | pd.DataFrame | pd.Series):
            return checksum(value)
        if isinstance(value, bytes | bytearray):
            return _sha256(bytes(value))
        if isinstance(value, Table):
            return described_table(value)
        if id(value) in self._seen:
            return {"again": self._seen[id(value)]}
        self._seen[id(value)] = len(self._seen)
        self._kept.append(value)
        return self._composed(value, place)

    def _composed(self, value: Any, place: str) -> Any:
        if isinstance(value, enum.Enum):
            return {"object": _path(type(value)), "name": value.name}
        if type(value) in (list, tuple, range):
            return [self.of(one, place) for one in value]
        if isinstance(value, set | frozenset):
            return sorted((self.of(one, place) for one in value), key=str)
        if type(value) is dict or isinstance(value, types.MappingProxyType):
            return {str(name): self.of(each, f"{place}[{name!r}]") for name, each in value.items()}
        if isinstance(value, type):
            return {"object": _path(value), "source": self._code_of_class(value, place)}
        if isinstance(value, FUNCTIONS):
            return {"object": _path(value), "source": self._code_of_function(value, place)}
        if isinstance(value, functools.partial):
            of = {"arguments": value.args, "parameters": value.keywords}
            return {**self.of(value.func, place), **{n: self.of(e, place) for n, e in of.items()}}
        return self._state(value, place)

    def _state(self, value: Any, place: str) -> dict[str, Any]:
        """The class of any other object, and all that it holds, as a copy of it would."""
        kind = type(value)
        unnameable = SalutaryError(f"{place} is a {kind.__name__}, which no record can name")
        if isinstance(value, types.ModuleType | Iterator):
            raise unnameable
        try:
            reduced = value.__reduce_ex__(4)
        except (TypeError, ValueError, AttributeError) as error:
            raise unnameable from error
        if isinstance(reduced, str):  # a global of that name
            return {"object": f"{kind.__module__}.{reduced}"}
        _, arguments, *rest = reduced
        state, *items = [*rest, None][:3]
        own = [each for each in arguments if each is not kind]
        named = state if isinstance(state, Mapping) else {}
        found = {name: self.of(each, f"{place}.{name}") for name, each in named.items()}
        others = [own, None if named else state, *(list(each) for each in items if each is not None)]
        if any(others):
            found["contents"] = [self.of(each, place) for each in others]
        return {"object": _path(kind), "source": self._code_of_class(kind, place), "parameters": found}

    def _code_of_class(self, kind: type, place: str) -> str:
        """Of the class and its bases, but for those whose version a record has."""
        bases = [base for base in kind.__mro__ if not _is_versioned(base)]
        members = [(b.__qualname__, n, m) for b in bases for n, m in vars(b).items() if n not in NOTES]
        return _digest([[base, name, self._member(each, place)] for base, name, each in members])

    def _member(self, member: Any, place: str) -> Any:
        """An attribute of a class; of what has neither code nor state, what kind it is."""
        if isinstance(member, property):
            return [self._member(each, place) for each in (member.fget, member.fset, member.fdel)]
        if isinstance(member, functools.partialmethod):
            return self.of(functools.partial(member.func, *member.args, **member.keywords), place)
        for name in ("__func__", "func", "__wrapped__"):  # static, cached and decorated methods
            if isinstance(getattr(member, name, None), types.FunctionType):
                return self.of(getattr(member, name), place)
        try:
            return self.of(member, place)
        except SalutaryError:
            return _path(type(member))

    def _code_of_function(self, function: Any, place: str) -> str:
        """Of its code, what it is called with by default and closes over, and what of one's own it names."""
        if _is_versioned(function) or not isinstance(function, types.FunctionType):
            return _path(function)
        closed = [each.cell_contents for each in function.__closure__ or () if _is_filled(each)]
        held = [function.__defaults__, function.__kwdefaults__, *closed]
        used = [function.__globals__.get(name) for name in _names(function.__code__)]
        own = [each for each in used if _is_ones_own(each)]
        return _digest([_compiled(function.__code__), [self._member(each, place) for each in [*held, *own]]])


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


def _is_versioned(thing: Any) -> bool:
    return (getattr(thing, "__module__", None) or "").partition(".")[0] in VERSIONED


def _is_ones_own(value: Any) -> bool:
    """Whether a global is a constant, or a function or class of the user's."""
    if isinstance(value, type | types.FunctionType):
        return not _is_versioned(value)
    return type(value) in (*PLAIN, tuple, list, dict, set, np.ndarray) and value is not None


def _is_filled(cell: types.CellType) -> bool:
    """A cell of a class that is being made is empty."""
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


def _names(code: types.CodeType) -> list[str]:
    """The globals that code may name, in order."""
    nested = [name for each in code.co_consts if isinstance(each, types.CodeType) for name in _names(each)]
    return list(dict.fromkeys([*code.co_names, *nested]))


def _compiled(code: types.CodeType) -> list[Any]:
    constants = [_compiled(c) if isinstance(c, types.CodeType) else _constant(c) for c in code.co_consts]
    return [code.co_code.hex(), list(code.co_names), list(code.co_varnames), constants]


def _constant(value: object) -> str:
    return repr(sorted(map(repr, value))) if isinstance(value, frozenset) else repr(value)


def _path(thing: Any) -> str:
    return f"{getattr(thing, '__module__', '')}.{getattr(thing, '__qualname__', type(thing).__name__)}"


def _digest(value: Any) -> str:
    return _sha256(json.dumps(value, default=str).encode())


def _sha256(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return f"sha256:{digest.hexdigest()}"
