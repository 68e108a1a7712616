"""What pages take from the program as they are built: helps of commands, columns of records."""

from __future__ import annotations

import subprocess
import sys
from typing import ClassVar

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from salutary.experiments import rounds
from salutary.experiments.identity import Identity

COMMANDS = {
    "salutary-run": "salutary.__main__:main",
    "salutary-label": "salutary.labeling.cli:main",
    "salutary-collect": "salutary.experiments.collect:main",
    "salutary-plot": "salutary.analysis.report:plot",
    "salutary-report": "salutary.analysis.report:report",
}
RECORDS = {"rounds.csv": (Identity, rounds.Round), "queries.csv": (rounds.Query,)}


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("command-help", CommandHelp)
    app.add_directive("record-columns", RecordColumns)
    return {"parallel_read_safe": True}


def help_of(command: str) -> str:
    """What ``command --help`` prints."""
    module, _, function = COMMANDS[command].partition(":")
    code = f"import sys; sys.argv = [{command!r}, '--help']; from {module} import {function} as main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout


def columns_of(file: str) -> list[tuple[str, str, str]]:
    """Name, kind and whether a cell may be empty, of each column of a record's file."""
    found = [each for record in RECORDS[file] for each in rounds.columns(record)]
    return [(each.name, each.kind.__name__, "yes" if each.optional else "no") for each in found]


class CommandHelp(SphinxDirective):
    """``{command-help} salutary-run``: a literal block."""

    required_arguments = 1
    has_content: ClassVar[bool] = False

    def run(self) -> list[nodes.Node]:
        text = help_of(self.arguments[0])
        return [nodes.literal_block(text, text, language="text")]


class RecordColumns(SphinxDirective):
    """``{record-columns} rounds.csv``: a table."""

    required_arguments = 1
    has_content: ClassVar[bool] = False

    def run(self) -> list[nodes.Node]:
        header, rows = ("column", "kind", "may be empty"), columns_of(self.arguments[0])
        group = nodes.tgroup("", *(nodes.colspec(colwidth=1) for _ in header), cols=len(header))
        group += nodes.thead("", _row(header))
        group += nodes.tbody("", *(_row((name, *rest), code=True) for name, *rest in rows))
        return [nodes.table("", group)]


def _row(cells: tuple[str, ...], code: bool = False) -> nodes.row:
    first, *rest = cells
    shown = [nodes.literal(first, first) if code else nodes.Text(first), *map(nodes.Text, rest)]
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", each)) for each in shown))
