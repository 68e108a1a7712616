"""Where the rows of a pool are encoded and scored: in this process, or on a Ray cluster."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from salutary.labeling.inputs import Inputs
from salutary.labeling.on_ray.cluster import Cluster, joined, require_ray
from salutary.labeling.on_ray.pool import encode_on_ray
from salutary.labeling.on_ray.reading import Plan
from salutary.labeling.on_ray.rules import RAY
from salutary.labeling.pool import EncodedPool, encode_pool
from salutary.labeling.settings import LabelSettings
from salutary.system.device import Device
from salutary.tables.files import TableFile


class Backend(Protocol):
    def encoded(
        self, table: TableFile, inputs: Inputs, settings: LabelSettings, device: Device, folder: Path
    ) -> EncodedPool:
        """The pool in ``table``; ``folder``: of what is kept for the same command, should it be interrupted.

        Raises SalutaryError, naming column and row, for what is wrong in it, and if it has no rows.
        """


class Local:
    """In this process, from a matrix on disk."""

    def encoded(
        self, table: TableFile, inputs: Inputs, settings: LabelSettings, device: Device, folder: Path
    ) -> EncodedPool:
        """See :class:`Backend`."""
        return encode_pool(table, inputs, settings.id, folder, progress=True)


@dataclass(frozen=True)
class OnRay:
    """By the workers of a Ray cluster."""

    cluster: Cluster

    def encoded(
        self, table: TableFile, inputs: Inputs, settings: LabelSettings, device: Device, folder: Path
    ) -> EncodedPool:
        """See :class:`Backend`."""
        features = inputs.features.fresh()
        n = self.cluster.chunk_rows(table.n_rows, width := features.n_features)
        plan = Plan(settings, features, width, n, with_ids=bool(settings.id and settings.predicted))
        return encode_on_ray(self.cluster, plan, inputs, folder, device, progress=True)


def require(name: str) -> None:
    """Raises SalutaryError if what the backend of that name needs is not installed."""
    if name == RAY:
        require_ray()


@contextlib.contextmanager
def of(name: str) -> Iterator[Backend]:
    """The backend of that name."""
    if name != RAY:
        yield Local()
        return
    with joined() as cluster:
        yield OnRay(cluster)
