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

ENDINGS = {"csv": "csv"} | {form: ending for form, (ending, _) in WRITERS.items()}


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


# PDF: TrueType fonts inside, where matplotlib's default would be Type 3, which publishers refuse; SVG: text
# as outlines, which look the same everywhere.
EMBEDDED = {"pdf.fonttype": 42, "svg.fonttype": "path", "svg.hashsalt": "salutary"}


def figure_file(figure: Figure, form: str, dpi: int = 200) -> bytes:
    """A figure as PDF, SVG or PNG, with its fonts inside and without a date."""
    buffer = io.BytesIO()
    with matplotlib.rc_context(EMBEDDED):
        if (
            figure.get_layout_engine()
        ):  # places hang on how a format measures text: now they are the same in all
            figure.draw_without_rendering()
            figure.set_layout_engine("none")
        figure.savefig(buffer, format=form, dpi=dpi, metadata=UNDATED[form])
    return buffer.getvalue()
