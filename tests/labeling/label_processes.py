"""``salutary-label`` in processes that may be killed, and what it leaves, but for what tells the time."""

import csv
import io
import json
import re
import shutil
from pathlib import Path

# What the command imports late is imported here, so that forked processes need not.
import pyarrow.parquet  # noqa: F401
import skops.io  # noqa: F401
from processes import OUTPUT, forked, status_of

from salutary.labeling import audit, cli, pipeline  # noqa: F401

from .ray_tables import write_tables

SETTINGS = ("target=y", "rounds=4", "budget=4", "folds=2", "shortlist=60", "output=labels.csv")
QUICK = (*SETTINGS, "remedies=false")
NUMBERS = (*QUICK, "ignore=[said]")
# A file, a folder of several blocks, texts, questions and their answers, and what replaces an older result.
COMMANDS = {
    "csv": (*NUMBERS, "pool={}/pool.csv", "id=key"),
    "parts": (*NUMBERS, "pool={}/parts", "predictions=predicted.parquet"),
    "texts": (*QUICK, "pool={}/pool.parquet", "text=[said]", "encoder=tfidf", "predictions=predicted.csv"),
    "answers": (
        *(*SETTINGS, "pool={}/pool.csv", "id=key", "answers={}/answers.csv", "ask=4", "ignore=[said]"),
        *("remedies=[cleaned]", "model.candidates=[logistic]", "strategy=salutary"),
    ),
    "force": (*NUMBERS, "pool={}/parts", "predictions=predicted.parquet", "seed=1", "force=true"),
}
# Before a command starts, its folder holds what this one leaves.
OLDER = {"force": (*NUMBERS, "pool={}/parts", "predictions=predicted.parquet")}


def tables(folder: Path) -> Path:
    """What the commands read."""
    pool = write_tables(folder, 900)
    answered = pool[["key"]][:12].assign(label=["no", "yes", ""] * 4)
    answered.rename(columns={"label": "y"}).to_csv(folder / "answers.csv", index=False)
    return folder


def labelling(folder: Path, read: Path, *settings: str, prepare=None) -> int:
    """Start ``salutary-label`` from ``folder`` in a copy of this process; its process id."""
    named = (f"labeled={read}/train.csv", f"validation={read}/val.csv")
    arguments = ["salutary-label", *named, *(each.replace("{}", str(read)) for each in settings)]
    cache = {"SALUTARY_CACHE_DIR": "cache"}
    return forked(folder, cli.main, arguments, cache, prepare)


def label_to_the_end(folder: Path, read: Path, *settings: str, prepare=None) -> int:
    return status_of(labelling(folder, read, *settings, prepare=prepare))


def said(folder: Path) -> str:
    return (folder / OUTPUT).read_text()


def mistake(folder: Path) -> str:
    """The last line: there is no traceback."""
    output = said(folder)
    assert "Traceback" not in output, output
    return output.strip().splitlines()[-1]


def contents(folder: Path) -> dict[str, object]:
    """Every file, hidden ones too, but for what was printed."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != OUTPUT]
    return {str(path.relative_to(folder)): content(path) for path in files}


def content(path: Path) -> object:
    """What a file holds, without its seconds."""
    if path.name == "facts.json":
        return {name: value for name, value in json.loads(path.read_text()).items() if name != "seconds"}
    if path.name == "curves.csv":
        rows = csv.DictReader(io.StringIO(path.read_text()))
        return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]
    if path.name == "audit.html":
        return re.sub(r"; \d+(\.\d+)? (s|min).*;$", "", path.read_text(), flags=re.MULTILINE)
    return path.read_bytes()


def begun(folder: Path, older: Path | None) -> Path:
    """A folder for a command, with what an ``older`` one has left there."""
    folder.mkdir()
    if older:
        shutil.copytree(older, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(OUTPUT))
    return folder


def undisturbed(folder: Path, read: Path, *arguments: str) -> dict:
    """What the command leaves in a folder of its own."""
    assert label_to_the_end(folder, read, *arguments) == 0, said(folder)
    return contents(folder)
