"""What the columns of a table hold, and their values as numbers or text.

Nothing is guessed silently: what is no plain number or category, such as a date or an id, is left out, and
:attr:`Schema.left_out` says why.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import pandas as pd

from salutary.errors import SalutaryError
from salutary.tables.kinds import is_constant, kind_of
from salutary.tables.messages import quoted, shown, where
from salutary.tables.numbers import plain_numbers, surely_numbers, to_numbers
from salutary.tables.pictures import BadPicture, located
from salutary.tables.reading import MISSING as MISSING  # where 0.3.0 had it
from salutary.tables.reading import Reading
from salutary.tables.texts import is_time


@dataclass(frozen=True)
class Schema:
    """``numeric``, ``categorical``, ``texts`` and ``images``: the columns used; texts stand alone or
    are pairs, images are paths of pictures. ``left_out``: the others, and why.
    """

    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    left_out: dict[str, str]
    texts: tuple[tuple[str, ...], ...] = ()
    images: tuple[str, ...] = ()

    @property
    def used(self) -> list[str]:
        return [*self.plain, *self.text, *self.images]

    @property
    def plain(self) -> list[str]:
        """Those of numbers and categories."""
        return [*self.numeric, *self.categorical]

    @property
    def text(self) -> list[str]:
        """Those of texts."""
        return [column for columns in self.texts for column in columns]

    @classmethod
    def of(
        cls,
        frame: pd.DataFrame,
        path: str | Path,
        numeric: Iterable[str] = (),
        categorical: Iterable[str] = (),
        ignore: Iterable[str] = (),
        reading: Reading | None = None,
        unusable: Mapping[str, str] = MappingProxyType({}),
        text: Iterable[str] = (),
        pair: Iterable[str] = (),
        images: Iterable[str] = (),
    ) -> Schema:
        """What the columns of ``frame`` hold; those named are what they are said to be. Those to ``ignore``
        need not be in it. ``reading``: of the frame's texts; ``unusable``: columns that it lacks, and why.
        ``text``: columns of texts, each for itself; ``pair``: two columns of texts that are compared;
        ``images``: columns of paths of pictures.

        Raises SalutaryError for a column that mixes numbers and text, and if none can be used.
        """
        numeric, categorical, ignore = list(numeric), list(categorical), list(ignore)
        texts, images = _texts(list(text), list(pair)), tuple(images)
        reading = reading or Reading()
        of_texts = [column for columns in texts for column in columns]
        named = [*numeric, *categorical, *of_texts, *images, *ignore]
        _check_named(frame, path, named, ignore, unusable, of_texts, images)
        for column in (*of_texts, *images):
            _require_texts(frame[column], path, reading, "texts" if column in of_texts else "paths")
        left_out = {**unusable, **dict.fromkeys(ignore, "as asked")}
        others = frame.columns.difference(named, sort=False)
        sure = surely_numbers(frame, others, reading)
        for column in others:
            if column in sure:
                numeric.append(column)
                continue
            kind, why = kind_of(frame[column], path, reading)
            if kind is None:
                left_out[column] = why
            else:
                (numeric if kind == "number" else categorical).append(column)
        for column in [*numeric, *categorical]:
            if column in named or column in sure:
                continue
            if is_constant(frame[column], column in numeric, path, reading):
                left_out[column] = "constant"
        used = [[c for c in columns if c not in left_out] for columns in (numeric, categorical)]
        if not any(used) and not texts and not images:
            reasons = "; ".join(f"{shown(column)}: {why}" for column, why in list(left_out.items())[:6])
            raise SalutaryError(
                f"{path} has no column to learn from ({reasons or 'there is only the target'})"
            )
        return cls(tuple(used[0]), tuple(used[1]), left_out, texts, images)

    def convert(
        self,
        frame: pd.DataFrame,
        path: str | Path,
        reading: Reading | None = None,
        folder: Path = Path(),
    ) -> pd.DataFrame:
        """The used columns, as float64 (NaN where missing), categories (NaN where missing), texts
        (empty where missing) and paths of pictures.

        ``frame`` is indexed by row number from 0; ``reading``: of its texts; ``folder``: what paths are
        relative to. Raises SalutaryError, naming column and row, for a number that is none, or is
        infinite, and for no path.
        """
        reading = reading or Reading()
        quick = plain_numbers(frame, self.numeric, reading)
        if list(quick) == self.used:
            return quick
        rest = [name for name in self.numeric if name not in quick]
        columns = {name: to_numbers(frame[name], path, reading) for name in rest}
        columns |= {name: reading.categories(frame[name]) for name in self.categorical}
        columns |= {name: reading.categories(frame[name]).fillna("") for name in self.text}
        columns |= {name: _located(frame[name], path, folder) for name in self.images}
        found = pd.DataFrame(columns, index=frame.index)
        return pd.concat([quick, found], axis=1)[self.used] if len(quick.columns) else found


def _check_named(
    frame: pd.DataFrame,
    path: str | Path,
    named: list[str],
    ignore: list[str],
    unusable: Mapping[str, str],
    texts: Sequence[str],
    images: Sequence[str],
) -> None:
    """Raises SalutaryError for a column that is named twice, is not there, or cannot be used."""
    for column in named:
        if named.count(column) > 1:
            kinds = "numeric, categorical, text, pair" if texts else "numeric, categorical"
            kinds += ", images" if images else ""
            raise SalutaryError(f"column {quoted(column)} is named twice in {kinds} and ignore")
        if column in unusable and column not in ignore:
            raise SalutaryError(f"{where(path, column)}: {unusable[column]}")
        if column not in frame and column not in ignore:
            what = "texts" if column in texts else "numeric or categorical"
            what = "images" if column in images else what
            raise SalutaryError(f"{path} has no column {quoted(column)} to use as {what}")


def _texts(text: list[str], pair: list[str]) -> tuple[tuple[str, ...], ...]:
    """Columns that stand alone, then the pair. Raises SalutaryError for a pair of more or fewer than two."""
    if len(pair) not in (0, 2):
        raise SalutaryError(f"pair must be two columns of texts, such as [premise,hypothesis], not {pair!r}")
    together = " + ".join(pair)
    if together in text:
        raise SalutaryError(
            f"text: the column {quoted(together)} has the name of what pair={pair} makes: rename it"
        )
    return (*((column,) for column in text), *([tuple(pair)] if pair else []))


def _located(values: pd.Series, path: str | Path, folder: Path) -> pd.Series:
    """Where the pictures are. Raises SalutaryError, naming the row, for one that is not named."""
    found = []
    for row, value in zip(values.index, values, strict=True):
        try:
            found.append(str(located(value, folder)))
        except BadPicture as error:
            raise BadPicture(f"{where(path, values.name, row)}: {error}") from error
    return pd.Series(found, values.index, object)


def _require_texts(values: pd.Series, path: str | Path, reading: Reading, what: str) -> None:
    """Raises SalutaryError for a column of which no value is a text."""
    present = values[~reading.is_gap(values)]
    if not len(present):
        raise SalutaryError(f"{where(path, values.name)}: it holds no {what}, since no row has a value")
    if is_time(values) or reading.numbers(present).notna().all():
        kind = "times" if is_time(values) else "numbers"
        raise SalutaryError(f"{where(path, values.name)}: it holds {kind}, not {what}")


def require_apart(fixed: Mapping[str, str | None], lists: Mapping[str, Sequence[str]]) -> None:
    """Raises SalutaryError if a column such as the target, ``fixed``, has another task too, or is in
    ``lists``.
    """
    for setting, column in fixed.items():
        others: dict[str, Sequence[str | None]] = {
            name: [other] for name, other in fixed.items() if name != setting
        }
        others |= {f"in {name}": columns for name, columns in lists.items()}
        for name, columns in others.items():
            if column is not None and column in columns:
                raise SalutaryError(f"{setting}={shown(column)} cannot also be {name}")
