"""The five UCI tables that ucimlrepo serves: wine, electrical, waveform, musk_v2, diabetic.

Each is read from its published raw file when that is in ``data_dir`` (checked by sha256), else from
ucimlrepo's copy (checked by shape and class counts). Rows keep the published order, since the
splits of the paper depend on it.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from salutary.datasets import Table, encode
from salutary.datasets.grouped import Grouping
from salutary.errors import SalutaryError
from salutary.system import sources


class UciTable:
    """Base of the UCI tables.

    A subclass sets ``folder``, ``uci_id``, ``raw`` (file name to sha256 of its content),
    ``counts`` (class name to number of rows, in the order of the class numbers), and reads
    features and class values from either source by position.
    """

    folder: str
    uci_id: int
    raw: dict[str, str]
    counts: dict[object, int]
    n_features: int

    def __init__(
        self,
        data_dir: str | None = None,
        group: str | None = None,
        group_edges: Sequence[float] = (),
        group_is_feature: bool = True,
    ):
        self.data_dir = data_dir
        self.grouping = Grouping(group, group_edges, group_is_feature)

    def load(self) -> Table:
        """Raises SalutaryError for a missing, damaged or unexpected file."""
        names = [f"{self.folder}/{name}" for name in self.raw]
        paths = [sources.find(self.data_dir, name) for name in names]
        if all(paths):
            frames = [self.parse(c) for c in self._contents(paths)]
            source = " and ".join(map(str, paths))
            frame = pd.concat(frames, ignore_index=True)
        else:
            cached = f"{self.folder}/ucimlrepo-{self.uci_id}.csv"
            content = sources.from_ucimlrepo(self.uci_id, self.data_dir, cached, " and ".join(names))
            source = f"ucimlrepo's data set {self.uci_id} ({cached})"
            try:
                frame = self.from_ucimlrepo(pd.read_csv(io.BytesIO(content)))
            except (ValueError, KeyError) as error:
                raise SalutaryError(f"{source} is not the expected table: remove it") from error
        return self._checked(frame, source)

    def _contents(self, paths: list) -> Iterator[bytes]:
        return (sources.read(path, digest) for path, digest in zip(paths, self.raw.values(), strict=True))

    def _checked(self, frame: pd.DataFrame, source: str) -> Table:
        *features, target = frame.columns
        class_names = tuple(self.counts)
        y = encode(frame[target].to_numpy(), class_names)
        counts = dict(zip(class_names, np.bincount(y, minlength=len(class_names)), strict=True))
        if len(features) != self.n_features or counts != self.counts:
            raise SalutaryError(
                f"{source} has {len(features)} features and class counts {counts},"
                f" expected {self.n_features} and {self.counts}"
            )
        table = Table(
            frame[features].to_numpy(np.float64), y, class_names, feature_names=tuple(map(str, features))
        )
        return self.grouping.of(table, self.others(frame))

    def others(self, frame: pd.DataFrame) -> dict[str, np.ndarray]:
        """Columns (n,) by name that may be groups, though they are no features."""
        return {}

    def parse(self, content: bytes) -> pd.DataFrame:
        """The published raw file as a frame of the features, then the class."""
        return pd.read_csv(io.BytesIO(content), header=None)

    def from_ucimlrepo(self, frame: pd.DataFrame) -> pd.DataFrame:
        """ucimlrepo's frame as one of the features, then the class."""
        return frame


class Wine(UciTable):
    """Wine Quality, both colours, red first: 6,497 x 11, quality 3 to 9."""

    folder, uci_id, n_features = "wine", 186, 11
    raw = {
        "winequality-red.csv": "4a402cf041b025d4566d954c3b9ba8635a3a8a01e039005d97d6a710278cf05e",
        "winequality-white.csv": "76c3f809815c17c07212622f776311faeb31e87610d52c26d87d6e361b169836",
    }
    n_red = 1599
    counts = {3: 30, 4: 216, 5: 2138, 6: 2836, 7: 1079, 8: 193, 9: 5}

    def parse(self, content: bytes) -> pd.DataFrame:
        return pd.read_csv(io.BytesIO(content), sep=";")

    def from_ucimlrepo(self, frame: pd.DataFrame) -> pd.DataFrame:
        return frame.iloc[:, :12]  # the thirteenth column is the colour

    def others(self, frame: pd.DataFrame) -> dict[str, np.ndarray]:
        return {"color": np.where(np.arange(len(frame)) < self.n_red, "red", "white")}


class Electrical(UciTable):
    """Electrical Grid Stability: 10,000 x 12. ``stab`` is left out: its sign is the class."""

    folder, uci_id, n_features = "electrical", 471, 12
    raw = {
        "Data_for_UCI_named.csv": "02bcd212dc31b6d1b9acbf8d7f7e722a50da917ae204ba34d9dbd3d824d2e255",
    }
    counts = {"unstable": 6380, "stable": 3620}

    def parse(self, content: bytes) -> pd.DataFrame:
        return pd.read_csv(io.BytesIO(content)).drop(columns="stab")

    def from_ucimlrepo(self, frame: pd.DataFrame) -> pd.DataFrame:
        return frame.drop(columns="stab")


class Waveform(UciTable):
    """Waveform, version 1 (without the noise attributes): 5,000 x 21, three classes."""

    folder, uci_id, n_features = "waveform", 107, 21
    raw = {
        "waveform.data": "da332f3121943f586826f5d1b2cdd354548c59f71ddbf28c4d0c2eb623d7bfc3",
    }
    counts = {0: 1657, 1: 1647, 2: 1696}


class Musk(UciTable):
    """Musk, version 2: 6,598 x 166, without the names of molecule and conformation."""

    folder, uci_id, n_features = "musk_v2", 75, 166
    raw = {
        "clean2.data": "8dee8e1946b6939ad96cc0d30560ae7e71c60886dd41d794a878f38a0c1a6a9f",
    }
    counts = {0: 5581, 1: 1017}

    def parse(self, content: bytes) -> pd.DataFrame:
        return super().parse(content).iloc[:, 2:]

    def from_ucimlrepo(self, frame: pd.DataFrame) -> pd.DataFrame:
        return frame.iloc[:, 2:]


class Diabetic(UciTable):
    """Diabetic Retinopathy Debrecen (Messidor features): 1,151 x 19."""

    folder, uci_id, n_features = "diabetic", 329, 19
    raw = {
        "messidor_features.arff": "f26adef0a94920205da4eedefbb6ccd730fd4b52a18ac7c01457cc7c1382c0c4",
    }
    counts = {0: 540, 1: 611}

    def parse(self, content: bytes) -> pd.DataFrame:
        _, _, rows = content.partition(b"@data")
        return super().parse(rows)
