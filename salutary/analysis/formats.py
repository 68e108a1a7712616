"""Tables and figures of a report as files for elsewhere: CSV, Markdown, LaTeX; PDF, SVG, PNG."""

from __future__ import annotations

import io
from collections.abc import Callable

import matplotlib
import pandas as pd
from matplotlib.figure import Figure

from salutary.analysis.sections import Section, markdown_table

# So that the same records give the same files.
UNDATED = {"pdf": {"CreationDate": None}, "svg": {"Date": None}, "png": {}}


def as_csv(table: pd.DataFrame) -> str:
    """Numbers of six digits."""
    return table.to_csv(index=False, float_format="%.6g")


def as_latex(table: pd.DataFrame) -> str:
    """A tabular for ``\\usepackage{booktabs}``; the index is the first column."""
    style = table.fillna("").rename_axis(index=None, columns=None).style.format(escape="latex")
    for axis in ("index", "columns"):
        style = style.format_index(escape="latex", axis=axis)
    text = style.to_latex(hrules=True, column_format="l" + "r" * table.shape[1])
    return text.replace("±", r"$\pm$")


WRITERS: dict[str, tuple[str, Callable[[pd.DataFrame], str]]] = {
    "markdown": ("md", lambda table: markdown_table(table) + "\n"),
    "latex": ("tex", as_latex),
}


def table_files(section: Section, form: str) -> dict[str, str]:
    """The section's tables by the names of their files: as CSV every number, else as readers see them."""
    if form == "csv":
        return {f"{name}.csv": as_csv(table) for name, table in section.tables.items()}
    ending, write = WRITERS[form]
    shown = {name: section.shown.get(name, _texts(table)) for name, table in section.tables.items()}
    return {f"{name}.{ending}": write(table) for name, table in shown.items()}


def _texts(numbers: pd.DataFrame) -> pd.DataFrame:
    """What no reader is shown as it is, in the form of a table of texts."""
    first, *others = numbers.columns
    texts = numbers.map(lambda value: f"{value:.4g}" if isinstance(value, float) else str(value))
    return texts.mask(numbers.isna(), "").set_index(first)[others]


def figure_file(figure: Figure, form: str, dpi: int = 200) -> bytes:
    """A figure as PDF, SVG or PNG."""
    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "salutary"}):
        figure.savefig(buffer, format=form, dpi=dpi, metadata=UNDATED[form])
    return buffer.getvalue()
