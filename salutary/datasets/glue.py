"""Three tasks of GLUE on pairs of sentences: WNLI, RTE and MRPC."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

import numpy as np

from salutary.datasets.text import TextData, Texts
from salutary.errors import SalutaryError
from salutary.system import sources


@dataclass(frozen=True)
class Task:
    """``columns``: of the sentences and the label. ``labels``: as the files have them, in class order.

    ``sha256``, ``n_rows``: of train.tsv and dev.tsv.
    """

    columns: tuple[str, str, str]
    labels: tuple[str, str]
    class_names: tuple[str, str]
    sha256: tuple[str, str]
    n_rows: tuple[int, int]


TASKS = {
    "mrpc": Task(
        ("#1 String", "#2 String", "Quality"),
        ("0", "1"),
        ("not_equivalent", "equivalent"),
        (
            "69abcedee3cf738c6ce58d772e43e1b7cdf5b4edee4aceda459c0d9f4e5599f3",
            "9e8f284788040f7c9ecde2e1b3c07237c756f926bd9ef8548ef5d34b56f69f17",
        ),
        (3668, 408),
    ),
    "rte": Task(
        ("sentence1", "sentence2", "label"),
        ("entailment", "not_entailment"),
        ("entailment", "not_entailment"),
        (
            "41e3a9b063433392343fad9e962cf2f58b681c78d8f71592f4186f0837246c5c",
            "80230dfa1347282e7b532b06a1004a76a710087541189bf874223ddf0e3819fb",
        ),
        (2490, 277),
    ),
    "wnli": Task(
        ("sentence1", "sentence2", "label"),
        ("0", "1"),
        ("not_entailment", "entailment"),
        (
            "9a88e9d54b6861cc796a088e9acf4f5f65064a9ef65ae6fa7a688b28391e5c9a",
            "cba00490596dd14be8cf53b4f53bb744abe3a7b89f81ab210528d80225338ed5",
        ),
        (635, 71),
    ),
}
# First sentences, second sentences, class numbers.
Rows = tuple[list[str], list[str], list[int]]


class Glue(TextData):
    """The rows of ``glue/<TASK>/train.tsv``, then those of ``dev.tsv``, whose labels are public as well.

    ``task``: ``wnli``, ``mrpc`` or ``rte``. Without the files, Hugging Face's ``datasets`` fetches them, if
    that package is installed. Wang et al., "GLUE: a multi-task benchmark and analysis platform for natural
    language understanding", ICLR 2019.
    """

    def __init__(self, task: str = "mrpc", **settings):
        super().__init__(**settings)
        self.task = self.name = task

    def read(self) -> Texts:
        if self.task not in TASKS:
            raise SalutaryError(f"dataset.task must be {', '.join(TASKS)}, not {self.task!r}")
        task = TASKS[self.task]
        names = [f"glue/{self.task.upper()}/{part}.tsv" for part in ("train", "dev")]
        paths = [sources.find(self.data_dir, name) for name in names]
        if all(paths):
            parts = [
                parse(sources.read(path, sha256), task, str(path))
                for path, sha256 in zip(paths, task.sha256, strict=True)
            ]
        else:
            parts = self._fetched(task, " and ".join(names))
        first, second, y = ([value for part in parts for value in part[i]] for i in range(3))
        return Texts(first, second, np.array(y), task.class_names)

    def _fetched(self, task: Task, files: str) -> list[Rows]:
        """Train and validation part from the Hub: plain tables, which bring no code to run."""
        try:
            from datasets import load_dataset
        except ImportError as error:
            where = sources.directory(self.data_dir).resolve()
            raise SalutaryError(
                f"put {files}, plain or .gz, below {where}, or set data_dir;"
                " or pip install 'datasets>=4', which downloads them"
            ) from error
        try:
            parts_of = load_dataset("nyu-mll/glue", self.task)
        except (OSError, ValueError, RuntimeError) as error:
            raise sources.unavailable("nyu-mll/glue from Hugging Face", self.data_dir, files) from error
        columns = ("sentence1", "sentence2", "label")
        parts = [tuple(list(parts_of[part][name]) for name in columns) for part in ("train", "validation")]
        n_rows = tuple(len(y) for _, _, y in parts)
        if n_rows != task.n_rows:
            raise SalutaryError(f"nyu-mll/glue has {n_rows} rows of {self.task}, expected {task.n_rows}")
        return parts


def parse(content: bytes, task: Task, name: str) -> Rows:
    """The rows of a .tsv file, which has no quoting: its sentences hold bare quotes.

    Raises SalutaryError, naming file and line, for a label that is none of the task's.
    """
    text = io.StringIO(content.decode("utf-8-sig"), newline="")
    lines = csv.DictReader(text, delimiter="\t", quoting=csv.QUOTE_NONE)
    first, second, y = [], [], []
    for row in lines:
        one, two, label = (row.get(column) for column in task.columns)
        if label not in task.labels:
            raise SalutaryError(
                f"{name}, line {lines.line_num}: the label must be {' or '.join(task.labels)}, not {label!r}"
            )
        first.append(one)
        second.append(two)
        y.append(task.labels.index(label))
    return first, second, y
