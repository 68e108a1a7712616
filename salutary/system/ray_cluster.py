"""Joining a Ray cluster, or starting one here, without a word of Ray's own."""

from __future__ import annotations

import logging
import os
import socket
from typing import Any

from salutary.errors import Interruption, needs

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_TQDM": "0",
}
# The address of a cluster that is started here, whatever runs.
HERE = "local"
SECONDS_TO_ANSWER = 10


class ClusterError(Interruption):
    """What the cluster fails in: the same command goes on, once that is mended."""


def imported_ray() -> Any:
    """The module, told to be quiet. Raises SalutaryError if it is not installed."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError as error:
        raise needs("ray", "ray") from error
    return ray


def start_ray(address: str | None = None, **settings: Any) -> None:
    """Join the cluster at ``address``, else that of RAY_ADDRESS or one that runs here, else start one.

    ``address="local"`` starts one. ``settings``: more of ``ray.init``. Raises ClusterError if there is none.
    """
    ray = imported_ray()
    address = address or os.environ.get("RAY_ADDRESS")
    if address in (None, HERE):
        settings = {"include_dashboard": False, **settings}
    try:
        if address:
            _knock(address)
        ray.init(address, log_to_driver=False, logging_level=logging.CRITICAL, **settings)
    except Exception as error:  # Ray has no class of its own for a start that fails
        is_here = address in (None, HERE)
        what = (
            "no Ray cluster can be started here" if is_here else f"the Ray cluster {address} cannot be joined"
        )
        said = [f"{each}\n".splitlines()[0] for each in (error, error.__cause__) if each]
        raise ClusterError(f"{what}: {' '.join(dict.fromkeys(said))}") from error


def _knock(address: str) -> None:
    """Raises OSError if nobody answers there, for which Ray itself takes minutes and many lines."""
    host, _, port = address.rpartition(":")
    if host and port.isdigit() and "/" not in host:
        socket.create_connection((host.strip("[]"), int(port)), timeout=SECONDS_TO_ANSWER).close()
