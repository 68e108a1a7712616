"""``salutary-collect``: the rounds of all finished runs below a folder in one tidy table."""

from __future__ import annotations

import argparse
import importlib.util
import io
import os
import sys
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from salutary.errors import SalutaryError
from salutary.experiments.runs import damage, read_facts, read_rounds
from salutary.experiments.together import Together
from salutary.system.files import as_path, write_atomic
from salutary.system.urls import is_remote

NAME = "all_rounds"


def collect(*folders: str | Path, output: Path | None = None) -> str:
    """Write ``all_rounds.csv``, and ``.parquet`` with PyArrow installed; a sentence on what was gathered.

    A row per round: the columns of rounds.csv, ``run`` (its path below the folder; of several with that of
    the folder), and a column for every setting that differs between the runs. A run that several folders have
    is there once. Unfinished and damaged runs are left out and counted. ``output``: the folder to write to,
    which is that of the records, or of several the current one.

    Raises SalutaryError for what cannot be read or written.
    """
    found = Together.of(folders)
    output = output or (Path() if len(folders) > 1 or is_remote(str(folders[0])) else as_path(folders[0]))
    table, damaged = gather(list(found.names))
    order = {str(path): number for number, path in enumerate(found.names)}
    table = table.iloc[table["run"].map(order).argsort(kind="stable")]
    table["run"] = table["run"].map({str(path): name for path, name in found.names.items()})
    files = {f"{NAME}.csv": table.to_csv(index=False).encode()}
    if importlib.util.find_spec("pyarrow"):
        buffer = io.BytesIO()
        table.to_parquet(buffer, index=False)
        files[f"{NAME}.parquet"] = buffer.getvalue()
    for name, content in files.items():
        try:
            write_atomic(output / name, content)
        except OSError as error:
            raise SalutaryError(f"{output / name} cannot be written: {error.strerror}") from error
    n = table["run"].nunique()
    return f"{n} run{'s' * (n > 1)} in {output}/{', '.join(files)}{_notes(found, [*found.damaged, *damaged])}"


def _notes(found: Together, damaged: list[str]) -> str:
    """What is not in the table, and of which runs there were two."""
    walks = (each for place in found.places for each in os.walk(place))
    unfinished = sum(name.endswith(".partial") for _, names, _ in walks for name in names)
    left_out = [f"{unfinished} unfinished"] if unfinished else []
    left_out += [f"{len(damaged)} damaged ({'; '.join(damaged[:3])})"] if damaged else []
    notes = f"; left out: {', '.join(left_out)}" if left_out else ""
    if found.again:
        notes += f"; {found.again} in more than one folder, once here"
    if found.others:
        shown = ", ".join(found.others[:3]) + ", ..." * (len(found.others) > 3)
        notes += (
            f"; {len(found.others)} of them with other numbers, those of the first folder are here: {shown}"
        )
    return notes


def collect_all(folders: Iterable[str]) -> list[str]:
    """What :func:`collect` says of the runs in some folders: in the one above them all, below this one.

    Else of each by itself. What cannot be written is told, not raised.
    """
    names = sorted({os.path.expanduser(folder) for folder in folders})
    common = os.path.commonpath(names) if len({*map(os.path.isabs, names)}) == 1 else "."
    is_far_up = Path(common).resolve() in (Path.cwd(), *Path.cwd().parents)
    return [
        _said(Path(each)) for each in (names if is_far_up and len(names) > 1 else [common] if names else [])
    ]


def _said(folder: Path) -> str:
    try:
        return collect(folder)
    except SalutaryError as error:
        return f"not collected: {error}"


def gather(paths: list[Path]) -> tuple[pd.DataFrame, list[str]]:
    """The table of :func:`collect`, and what is wrong with each run that cannot be read.

    Raises SalutaryError if no run can be read.
    """
    wrong: dict[Path, str] = {}
    try:
        rounds, facts = read_rounds(paths), read_facts(paths)
    except SalutaryError:
        wrong = {path: damage(path) for path in paths}
        sound = [path for path in paths if not wrong[path]]
        if not sound:
            raise
        rounds, facts = read_rounds(sound), read_facts(sound)
    settings = pd.DataFrame([flattened(each) for each in facts["settings"]], index=facts.index)
    differing = [name for name in settings if settings[name].astype(str).nunique() > 1]
    differing = [name for name in differing if name not in rounds]
    texts = settings[differing].astype({name: str for name in differing if settings[name].dtype == object})
    return rounds.join(texts, on="run"), [each for each in wrong.values() if each]


def flattened(settings: dict, prefix: str = "") -> dict[str, object]:
    """``{"model": {"l2": 1}}`` as ``{"model.l2": 1}``."""
    flat: dict[str, object] = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            flat |= flattened(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = str(value) if isinstance(value, list) else value
    return flat


def main() -> None:
    """Entry point of ``salutary-collect``."""
    about = (
        "Gather the rounds of all finished runs below folders, here or elsewhere (s3://bucket/outputs), into "
        "one CSV and one Parquet table."
    )
    parser = argparse.ArgumentParser("salutary-collect", description=about)
    parser.add_argument("records", nargs="*", default=["outputs"], metavar="folder", help="[outputs]")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        help="folder to write to [that of the records; of several the current one]",
    )
    arguments = parser.parse_args()
    try:
        print(collect(*arguments.records, output=arguments.output))
    except SalutaryError as error:
        sys.exit(f"salutary-collect: {error}")
