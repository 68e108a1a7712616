"""Where tensors live and how precise they are; the only place that decides either."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor

from salutary.errors import SalutaryError
from salutary.system.files import locked
from salutary.system.rules import Flag, Unless, Whole, check
from salutary.system.threads import free_cores, set_side_by_side, side_by_side

log = logging.getLogger(__name__)

DTYPES = {"float64": torch.float64, "float32": torch.float32}


class Device:
    """``name``: ``cpu``, ``cuda``, ``cuda:<n>`` or ``auto`` (cuda if there is one);
    ``dtype``: ``float64`` or ``float32``; ``threads``: CPU threads for linear algebra, None for all of them,
    or ``auto``: one, but many rows are worked on block by block in as many threads as there are cores
    (:mod:`salutary.system.threads`), at most ``cores`` of them; results are the same bytes as with one.
    ``turns``: whether runs wait for each other on a GPU, where many at once slow each other down.

    Raises SalutaryError for a device that is not there.
    """

    RULES = {"threads": Unless("auto", Unless(None, Whole(1))), "turns": Flag()}

    def __init__(
        self,
        name: str = "auto",
        dtype: str = "float64",
        threads: int | str | None = "auto",
        cores: int | None = None,
        turns: bool = True,
    ):
        name = self.named(name)
        if name.startswith("cuda") and not torch.cuda.is_available():
            raise SalutaryError("device=cuda, but PyTorch finds no CUDA device here; use device=cpu")
        if dtype not in DTYPES:
            raise SalutaryError(f"device.dtype must be {' or '.join(DTYPES)}, not {dtype!r}")
        self.name = name
        self.dtype = DTYPES[dtype]
        self.threads = threads
        self.turns = turns
        check(self, self.RULES, "device.")
        set_side_by_side(min(free_cores(), cores or free_cores()) if threads == "auto" else 1)
        if threads is not None:
            n = threads if isinstance(threads, int) else 1
            torch.set_num_threads(n)
            threadpool_limits(n)

    @staticmethod
    def named(name: str) -> str:
        """The name of a device: what ``auto`` is here, or itself. Raises SalutaryError for what is none."""
        if name == "auto":
            return "cuda" if torch.cuda.is_available() else "cpu"
        if not re.fullmatch(r"cpu|cuda(:\d+)?", str(name)):
            raise SalutaryError(f"device.name must be auto, cpu, cuda or cuda:<n>, not {name!r}")
        return name

    @property
    def description(self) -> str:
        """The device as the records name it."""
        hardware = torch.cuda.get_device_name(self.name) if self.name != "cpu" else "cpu"
        # With auto results do not depend on how many there are.
        threads = "auto" if self.threads == "auto" else torch.get_num_threads()
        return f"{hardware}, {str(self.dtype).removeprefix('torch.')}, {threads} threads"

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Have the device for oneself: on a GPU other processes that want a turn, too, wait for its end.

        At the end they have the memory that PyTorch would keep. Where nothing can be locked nobody waits.
        """
        name = self._hardware()
        with contextlib.ExitStack() as stack:
            if self.turns and name:
                path = Path(tempfile.gettempdir(), f"salutary-{_user()}", f"{name}.lock")
                wait = f"waiting for another run on {self.description}; device.turns=false does not wait"
                with contextlib.suppress(OSError, NotImplementedError):
                    stack.enter_context(locked(path, lambda: log.info(wait)))
            try:
                yield
            finally:
                if name:
                    torch.cuda.empty_cache()

    def _hardware(self) -> str | None:
        """Which GPU it is, whatever its number is in this process; None for what is none."""
        if torch.device(self.name).type != "cuda":
            return None
        return str(torch.cuda.get_device_properties(self.name).uuid)

    def features(self, X: np.ndarray) -> Tensor:
        return torch.as_tensor(X, dtype=self.dtype, device=self.name)

    def labels(self, y: np.ndarray) -> Tensor:
        return torch.as_tensor(y, device=self.name)


def _user() -> str:
    """Whose processes these are: a number, since in a container a user need not have a name."""
    return str(os.getuid()) if hasattr(os, "getuid") else os.environ.get("USERNAME", "")


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """On a busy machine more threads make small problems far slower, and others may compute here, too."""
    n_threads, n_blocks = torch.get_num_threads(), side_by_side()
    torch.set_num_threads(1)
    set_side_by_side(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(n_threads)
        set_side_by_side(n_blocks)


@contextlib.contextmanager
def exact_convolutions() -> Iterator[None]:
    """On CUDA the same bits every time, forwards and backwards, and no float32 cut to 10 bits (TF32)."""
    cudnn: Any = torch.backends.cudnn
    before = cudnn.deterministic, cudnn.benchmark, cudnn.conv.fp32_precision
    cudnn.deterministic, cudnn.benchmark, cudnn.conv.fp32_precision = True, False, "ieee"
    try:
        yield
    finally:
        cudnn.deterministic, cudnn.benchmark, cudnn.conv.fp32_precision = before
