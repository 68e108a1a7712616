"""Tasks with predictions for Label Studio, which imports 10,000 at a time, and the labelling interface.

Format: https://labelstud.io/guide/predictions, https://labelstud.io/tags/choices
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.sax.saxutils import quoteattr

from salutary.labeling.exports.blocks import About, Block, JsonLists

# Names of the two tags.
ROW, LABEL = "row", "label"


@contextlib.contextmanager
def writer(folder: Path, about: About) -> Iterator[Callable[[Block], None]]:
    """Into label-studio/: config.xml, and tasks-00000.json and so on."""
    place = folder / "label-studio"
    place.mkdir()
    (place / "config.xml").write_text(config(about), encoding="utf-8")
    tasks = JsonLists(lambda n: place / f"tasks-{n:05}.json")

    def add(block: Block) -> None:
        predicted = block.predicted.tolist()
        for name, row, c, P in zip(block.names, block.rows(), predicted, block.P, strict=True):
            tasks.add(_task(name, row, about.classes[c], float(P[c]), about.model))

    yield add
    tasks.flush()


def config(about: About) -> str:
    """The labelling interface: the row as a table, and one choice of the classes."""
    choices = "\n".join(f"    <Choice value={quoteattr(name)}/>" for name in about.classes)
    return f"""<View>
  <Table name="{ROW}" value="${ROW}"/>
  <Choices name="{LABEL}" toName="{ROW}" choice="single" required="true">
{choices}
  </Choices>
</View>
"""


def _task(name: str, row: dict, label: str, score: float, model: str) -> dict:
    result = {"from_name": LABEL, "to_name": ROW, "type": "choices", "value": {"choices": [label]}}
    prediction = {"model_version": model, "score": score, "result": [result]}
    return {"data": {"id": name, ROW: row}, "predictions": [prediction]}
