"""How messages name the place of a mistake, on one line whatever names and values hold."""

from __future__ import annotations

import re
import shlex
from collections.abc import Hashable
from pathlib import Path

import pandas as pd

# Characters of a name or value that are shown.
LONGEST = 60
# A text that neither a shell nor Hydra takes for anything else.
PLAIN = r"(?!(?i:null|true|false|nan|inf)$)[A-Za-z_%/@][A-Za-z0-9_./%@+-]*|[?-]"


def where(path: str | Path, column: Hashable = None, row: int | None = None) -> str:
    """``val.csv, column age, row 3``; ``row`` counts from 0, the message from 1."""
    places = [str(path)]
    if column is not None:
        places.append(f"column {shown(column)}")
    if row is not None:
        places.append(f"row {row + 1}")
    return ", ".join(places)


def first_row(wrong: pd.Series) -> int:
    """Number of the first row of which it is true, by the index, which counts from 0."""
    return int(wrong.index[int(wrong.to_numpy().argmax())])


def shown(name: object) -> str:
    """A name as it is, unless it is long or would not print as one line."""
    text = _short(name)
    return text if text.isprintable() else repr(text)


def quoted(value: object) -> str:
    """A value within quotes."""
    return repr(_short(value))


def listed(names: list[str], most: int) -> str:
    """The first names of a list."""
    return ", ".join(map(shown, names[:most])) + (", ..." if len(names) > most else "")


def as_setting(name: str, texts: list[str]) -> str:
    """``missing=[?]``, as a shell and Hydra take it."""
    if all(re.fullmatch(PLAIN, text) for text in texts):
        return f"{name}=[{','.join(texts)}]"
    escaped = [re.sub(r"(\\*)(\"|$)", lambda m: 2 * m[1] + ('\\"' if m[2] else ""), text) for text in texts]
    together = ",".join(f'"{text}"' for text in escaped)
    return shlex.quote(f"{name}=[{together}]")


def one_line(text: object) -> str:
    """What another package says, on one line."""
    return " ".join(str(text).split())


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
