"""``salutary-report`` and ``salutary-plot``: from records to one page, or to figures only."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from salutary.analysis.formats import as_csv, figure_file, table_files
from salutary.analysis.options import ABOUT, OF_PLOTS, OF_REPORTS, PLOTS_CALL_IT, Options, parsed
from salutary.analysis.page import html, page, runs_of
from salutary.analysis.parts import EXPERIMENTS, collect, numbered, others
from salutary.analysis.sections import what_is_missing
from salutary.analysis.style import SCREEN
from salutary.errors import SalutaryError
from salutary.system.files import write_atomic
from salutary.system.pictures import small_png


def write_report(root: Path, output: Path, options: Options | None = None) -> list[Path]:
    """report.md with its figures and tables beside it, and report.html, which shows the same without them;
    runs.csv names the runs of each section.
    """
    options = options or Options()
    with SCREEN.applied():
        report_parts = collect(root, options)
        figures = {n: figure for part in report_parts for n, figure in part.section.figures.items()}
        images = {f"{n}.png": small_png(figure) for n, figure in figures.items()}
        files: dict[str, str | bytes] = {
            "report.md": page(report_parts, root, options.format, with_captions=True),
            "report.html": html(page(report_parts, root, options.format), images),
            "runs.csv": as_csv(runs_of(report_parts, root)),
            **images,
        }
        for form in options.figures:
            files |= {f"{n}.{form}": figure_file(figure, form) for n, figure in figures.items()}
    for part in report_parts:
        files |= table_files(part.section, options.format)
    return [_write(output / name, content) for name, content in files.items()]


def write_figures(root: Path, output: Path, options: Options | None = None) -> list[Path]:
    """Every figure, or those that ``options.figure`` names, as PDF and PNG where the options name no other
    form. Raises SalutaryError for a figure that there are no records of.
    """
    options = options or Options()
    style, written = options.drawn_in, []
    with style.applied():
        report_parts = numbered(root, options.figure) if options.figure else collect(root, options)
        for part in report_parts:
            if not part.records:
                print(part.section.text)
            elif (
                missing := what_is_missing(part.name, part.records.facts) if part.name in EXPERIMENTS else ""
            ):
                print(f"{part.name}: {missing}")
            for name, figure in part.section.figures.items():
                for form in options.figures or ("pdf", "png"):
                    content = figure_file(figure, form, style.dpi)
                    written.append(_write(output / f"{name}.{form}", content))
    if not options.figure:
        print(others(report_parts))
    return written


def _write(path: Path, content: str | bytes) -> Path:
    try:
        write_atomic(path, content.encode() if isinstance(content, str) else content)
    except OSError as error:
        raise SalutaryError(f"{path} cannot be written: {error.strerror}") from error
    return path


def report() -> None:
    """Entry point of ``salutary-report``."""
    _command(
        "salutary-report",
        "One page (Markdown, and HTML in a single file) with every table and figure that there are "
        "records for: of one's own runs with statistics, and of the paper's experiments.",
        "report",
        write_report,
        OF_REPORTS,
    )


def plot() -> None:
    """Entry point of ``salutary-plot``."""
    _command(
        "salutary-plot",
        "The figures that there are records for, as PDF and PNG, for the screen or print. Nothing is run.",
        "figures",
        write_figures,
        OF_PLOTS,
        PLOTS_CALL_IT,
    )


def _command(
    name: str,
    about: str,
    default: str,
    write: Callable[[Path, Path, Options], list[Path]],
    allowed: tuple[str, ...],
    other_names: Mapping[str, str] | None = None,
) -> None:
    parser = argparse.ArgumentParser(
        name,
        description=about,
        epilog="Options:\n" + "\n".join(f"  {each + '=':<10} {ABOUT[each]}" for each in allowed),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("records", nargs="*", help="folder of records [outputs], and options, key=value")
    parser.add_argument("-o", "--output", default=default, type=Path, help=f"folder to write to [{default}]")
    arguments = parser.parse_intermixed_args()
    try:
        root, options = parsed(arguments.records, allowed, other_names)
        written = write(root, arguments.output, options)
    except SalutaryError as error:
        sys.exit(f"{name}: {error}")
    print(f"{len(written)} files in {arguments.output}")
