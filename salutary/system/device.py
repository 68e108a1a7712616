"""Where tensors live and how precise they are; the only place that decides either."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor

from salutary.errors import SalutaryError, require_whole

DTYPES = {"float64": torch.float64, "float32": torch.float32}


class Device:
    """``name``: ``cpu``, ``cuda``, ``cuda:<n>`` or ``auto`` (cuda if there is one);
    ``dtype``: ``float64`` or ``float32``; ``threads``: CPU threads for linear algebra, None for all of them.

    Raises SalutaryError for a device that is not there.
    """

    def __init__(self, name: str = "auto", dtype: str = "float64", threads: int | None = 1):
        if name == "auto":
            name = "cuda" if torch.cuda.is_available() else "cpu"
        if not re.fullmatch(r"cpu|cuda(:\d+)?", str(name)):
            raise SalutaryError(f"device.name must be auto, cpu, cuda or cuda:<n>, not {name!r}")
        if name.startswith("cuda") and not torch.cuda.is_available():
            raise SalutaryError("device=cuda, but PyTorch finds no CUDA device here; use device=cpu")
        if dtype not in DTYPES:
            raise SalutaryError(f"device.dtype must be {' or '.join(DTYPES)}, not {dtype!r}")
        self.name = name
        self.dtype = DTYPES[dtype]
        if threads is not None:
            require_whole("device.threads", threads, 1)
            torch.set_num_threads(threads)
            threadpool_limits(threads)

    @property
    def description(self) -> str:
        """The device as the records name it."""
        hardware = torch.cuda.get_device_name(self.name) if self.name != "cpu" else "cpu"
        return f"{hardware}, {str(self.dtype).removeprefix('torch.')}, {torch.get_num_threads()} threads"

    def features(self, X: np.ndarray) -> Tensor:
        return torch.as_tensor(X, dtype=self.dtype, device=self.name)

    def labels(self, y: np.ndarray) -> Tensor:
        return torch.as_tensor(y, device=self.name)


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """As the commands compute by default: on a busy machine more threads make small problems far slower."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(n_threads)


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
