"""What is typed after the name of a command: texts that are taken as they are, and the command as it was.

Hydra gives a meaning to spaces, commas, parentheses, quotes and the like; the name of a file may hold any of
them.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Iterable

QUOTED = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
# As Hydra writes a text without quotes: what means something to it stands behind a backslash.
ESCAPED = re.compile(r"(?=.*\\[\\()\[\]{}:=, \t])(?:[^\\\s()\[\]{}:=,'\"]|\\.)+")
SWEEPS = re.compile(r"(?:choice|glob|sort|shuffle|tag)\(.*\)", re.DOTALL)
_typed: list[str] = []


def quoted(name: str, value: str) -> str:
    """The override ``name=value`` such that Hydra takes the value as it is, but for ``${...}``."""
    escaped = re.sub(r"(\\*)('|$)", lambda m: 2 * m[1] + ("\\'" if m[2] else ""), value)
    return f"{name}='{escaped}'"


def is_quoted(value: str) -> bool:
    """Whether a value stands in quotes as Hydra asks for."""
    return bool(re.fullmatch(QUOTED, value))


def with_texts_quoted(arguments: list[str], texts: Iterable[str], sweeps: bool) -> list[str]:
    """Arguments of a command, those of the settings ``texts`` :func:`quoted`.

    What is quoted or escaped already, as Hydra asks for, stays, and so does ``null``. If the command
    ``sweeps``, commas that are not in quotes separate values, and Hydra's own ``choice(...)`` and the like
    stay, too; else a comma is part of the value.
    """
    return [_quoted(each, frozenset(texts), sweeps) for each in arguments]


def with_lists_quoted(arguments: list[str], lists: Iterable[str]) -> list[str]:
    """Arguments of a command, each text in the ``lists`` :func:`quoted`.

    ``missing=[null,1e5]`` are two texts. What is quoted or escaped already stays, as do several lists and
    interpolations.
    """
    return [_with_list_quoted(each, frozenset(lists)) for each in arguments]


def _with_list_quoted(argument: str, lists: frozenset[str]) -> str:
    name, _, value = argument.partition("=")
    inner = value[1:-1]
    is_list = name.lstrip("+") in lists and value.startswith("[") and value.endswith("]") and inner.strip()
    if not is_list or re.search(r"[\[\]]|\$\{", re.sub(QUOTED, "", inner)):
        return argument
    texts = [each.strip() for each in _split(inner)]
    kept = [each if is_quoted(each) or ESCAPED.fullmatch(each) else quoted("", each)[1:] for each in texts]
    return f"{name}=[{','.join(kept)}]"


def _quoted(argument: str, texts: frozenset[str], sweeps: bool) -> str:
    name, equals, value = argument.partition("=")
    if not equals or name.lstrip("+") not in texts:
        return argument
    if not sweeps or value == ",":  # the comma itself, as a separator
        return f"{name}={_text(value)}"
    if SWEEPS.fullmatch(value):
        return argument
    return f"{name}={','.join(_text(each) for each in _split(value))}"


def _text(value: str) -> str:
    value = _expanded(value)
    if value == "null" or is_quoted(value) or ESCAPED.fullmatch(value):
        return value
    return quoted("", value).removeprefix("=")


def _expanded(value: str) -> str:
    """With the user's folder for ``~``, which no shell puts in behind an equals sign."""
    return os.path.expanduser(value) if value.startswith("~") else value


def _split(value: str) -> list[str]:
    """At commas that are neither quoted, nor escaped, nor in ``${...}``."""
    # A quote begins a quoted value only where a value begins: there may be one in a name.
    plain = r"(?:\$\{[^}]*\}|\\.|[^,])*"
    return re.findall(rf"(?:^|(?<=,))(?:(?:{QUOTED})(?=,|$)|{plain})", value, re.DOTALL)


def remember() -> None:
    """Keep the command as it was typed, before it is rewritten for Hydra."""
    _typed[:] = sys.argv[1:]


def command(name: str) -> str:
    """The command as it was typed, for a shell."""
    return shlex.join([name, *(_typed or sys.argv[1:])])
