"""Records with suggestions for Argilla 2, and the settings of their dataset.

    settings = rg.Settings.from_json("labels/argilla/settings.json")
    dataset = rg.Dataset(name="pool", settings=settings).create()
    dataset.records.from_json("labels/argilla/records-00000.json")

A record has one field, the row's columns as Markdown: names of fields may be but few characters.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

from salutary.labeling.exports.blocks import About, Block, JsonLists

ROW, LABEL = "row", "label"


@contextlib.contextmanager
def writer(folder: Path, about: About) -> Iterator[Callable[[Block], None]]:
    """Into argilla/: settings.json, and records-00000.json and so on."""
    place = folder / "argilla"
    place.mkdir()
    (place / "settings.json").write_text(json.dumps(settings(about), indent=2), encoding="utf-8")
    records = JsonLists(lambda n: place / f"records-{n:05}.json")

    def add(block: Block) -> None:
        predicted = block.predicted.tolist()
        for name, row, c, P in zip(block.names, block.rows(), predicted, block.P, strict=True):
            suggestion = {"value": about.classes[c], "score": float(P[c]), "agent": about.model}
            records.add(
                {"id": str(name), "fields": {ROW: _markdown(row)}, "suggestions": {LABEL: suggestion}}
            )

    yield add
    records.flush()


def settings(about: About) -> dict:
    """What ``rg.Settings.from_json`` reads."""
    options = [{"value": name, "text": name, "description": None} for name in about.classes]
    question = {"type": "label_selection", "options": options, "visible_options": None}
    shown = {"type": "text", "use_markdown": True}
    return {
        "guidelines": f"Which {about.target} is it?",
        "questions": [{"name": LABEL, "title": about.target, "required": True, "settings": question}],
        "fields": [{"name": ROW, "title": ROW, "required": True, "settings": shown}],
        "vectors": [],
        "metadata": [],
        "allow_extra_metadata": False,
        "distribution": {"strategy": "overlap", "min_submitted": 1},
        "mapping": None,
    }


def _markdown(row: dict) -> str:
    """A line for each column that has a value."""
    lines = [f"**{name}**: {value}" for name, value in row.items() if value is not None]
    return "\n\n".join(lines) or "(no values)"
