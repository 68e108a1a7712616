"""What ``backend=ray`` asks of the settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from salutary.errors import SalutaryError
from salutary.labeling.exports.kinds import OF_POOL
from salutary.system.ray_cluster import ClusterError

if TYPE_CHECKING:
    from salutary.labeling.settings import LabelSettings


class LostBlocks(ClusterError):
    """What a machine held is gone with it."""


LOCAL, RAY = "local", "ray"
# Of the files of a folder of predictions.
PARTS = "part-*.parquet"


def check_backend(settings: LabelSettings) -> None:
    """Raises SalutaryError for what a pool on a Ray cluster cannot have."""
    if settings.backend == LOCAL:
        if settings.encode == "each_round":
            raise SalutaryError("encode=each_round is for backend=ray: without, a pool is encoded once")
        return
    if settings.audit or not settings.pool:
        raise SalutaryError("backend=ray is for the rows of a pool: set pool, and audit=false")
    if settings.skip_bad:
        raise SalutaryError("backend=ray numbers rows as the file does: set skip_bad=false")
    if settings.predicted and settings.predicted.suffix.lower() != ".parquet":
        raise SalutaryError(
            f"predictions={settings.predictions} are Parquet parts with backend=ray: name it .parquet"
        )
    for name in settings.exports:
        if name in OF_POOL:
            raise SalutaryError(f"export={name} writes the pool in one process: set backend=local")


def copied(role: str, backend: str) -> bool:
    """Whether what is elsewhere is copied here: of a pool on a cluster each worker reads what it needs."""
    return not (role == "pool" and backend == RAY)


def are_parts(path: Path) -> bool:
    """Whether a folder is what predictions are with backend=ray."""
    return all(file.match(PARTS) for file in path.iterdir())
