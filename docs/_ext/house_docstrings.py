"""Docstrings as the house writes them, made reST: sections, and equations that stand indented."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sphinx.application import Sphinx

# "name: text", "a, b: text" or "a_, b_: text": an entry of Parameters or Attributes.
ENTRY = re.compile(r"(?P<names>\w+(?:, \w+)*): (?P<text>.*)")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", made_rest)
    return {"parallel_read_safe": True}


def made_rest(app: object, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """``lines`` in place, as Sphinx wants it."""
    lines[:] = with_literal_blocks([*with_sections(lines)])


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
