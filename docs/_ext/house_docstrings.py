"""Docstrings as the house writes them, made reST: sections, and equations that stand indented."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

from sphinx.application import Sphinx

import salutary
from salutary import engine
from salutary.engine import objectives

# Where users import from, and the modules that have a page.
PACKAGES = (salutary, engine, objectives)
MODULES = [
    f"salutary.{wing}" for wing in ("strategies", "models", "datasets", "encoders", "remedies", "engine")
]
MODULES += ["salutary.engine.objectives", "salutary.analysis.own_statistics"]

# "name: text", "a, b: text" or "a_, b_: text": an entry of Parameters or Attributes.
ENTRY = re.compile(r"(?P<names>\w+(?:, \w+)*): (?P<text>.*)")
# :class:`Strategy`, :meth:`row_gradients`: a reference, mostly by a name that the module or class knows.
REFERENCE = re.compile(r":(?P<role>class|func|meth|mod):`(?P<target>[\w.]+)`")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", made_rest)
    return {"parallel_read_safe": True}


def made_rest(app: object, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """``lines`` in place, as Sphinx wants it."""
    known = sys.modules.get(getattr(obj, "__module__", None) or "")
    owner = getattr(known, getattr(obj, "__qualname__", "").partition(".")[0], None)
    texts = [REFERENCE.sub(lambda match: _whole(match, known, owner), line) for line in lines]
    lines[:] = with_literal_blocks([*with_sections(texts)])


def _whole(match: re.Match[str], known: object, owner: object) -> str:
    """A reference by its whole name, as the pages have it; as it was where that is not known, and modules
    that have no page by their name only.
    """
    role, target = match["role"], match["target"]
    if role == "mod":
        return match[0] if target in MODULES else f"``{target}``"
    first, *rest = target.split(".")
    if isinstance(owner, type) and not rest and any(first in vars(each) for each in owner.__mro__):
        thing, rest = next(each for each in owner.__mro__ if first in vars(each)), [first]
    else:
        thing = getattr(known, first, None)
    if first == "salutary" or thing is None:
        return f":{role}:`~{public(target)}`"
    return f":{role}:`~{'.'.join([public(f'{thing.__module__}.{thing.__qualname__}'), *rest])}`"


def public(home: str) -> str:
    """``salutary.run`` of ``salutary.integrations.run.run``, and so on: as users import it."""
    module, _, name = home.rpartition(".")
    for package in PACKAGES:
        found = getattr(package, name, None)
        if name in package.__all__ and getattr(found, "__module__", None) == module:
            return f"{package.__name__}.{name}"
    return home


def with_sections(lines: list[str]) -> Iterator[str]:
    """A heading underlined becomes a rubric, and its entries definitions."""
    has_entries, index = False, 0
    while index < len(lines):
        line, following = lines[index], lines[index + 1] if index + 1 < len(lines) else ""
        entry = ENTRY.fullmatch(line) if has_entries else None
        if line and re.fullmatch("-{3,}", following):
            has_entries = line in ("Parameters", "Attributes")
            yield from ("", f".. rubric:: {line}", "")
            index += 2
            continue
        if entry:
            names = ", ".join(f"``{each}``" for each in entry["names"].split(", "))
            yield from ("", names, f"    {entry['text']}")
        else:
            yield line
        index += 1


def with_literal_blocks(lines: list[str]) -> list[str]:
    """What stands indented after an empty line, outside of lists, definitions and directives, is literal."""
    result: list[str] = []
    for index, line in enumerate(lines):
        before = lines[index - 1] if index else ""
        paragraph = next((each for each in reversed(lines[:index]) if each.strip()), "")
        if line.startswith("    ") and not before.strip() and _is_plain(paragraph):
            result += [".. code-block:: text", ""]
        result.append(line)
    return result


def _is_plain(paragraph: str) -> bool:
    """Whether a line is of a paragraph that is neither indented nor begins something else."""
    return bool(paragraph) and not paragraph.startswith((" ", "- ", ".. ", ">>>"))
