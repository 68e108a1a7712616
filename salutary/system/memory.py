"""How much memory a call needs."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import sys
from collections.abc import Callable
from pathlib import Path

import torch


def peak(call: Callable[[], object], device: str | torch.device = "cpu") -> float | None:
    """MB that one call needs at its highest, above what there was before.

    On the CPU resident memory, which only Linux tells so closely: None elsewhere.
    """
    if torch.device(device).type != "cpu":
        torch.cuda.reset_peak_memory_stats(device)
        allocated = torch.cuda.memory_allocated(device)
        call()
        return (torch.cuda.max_memory_allocated(device) - allocated) / 2**20
    if sys.platform != "linux":
        call()
        return None
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # musl has no malloc_trim
        ctypes.CDLL("libc.so.6").malloc_trim(0)  # what was freed before is not there for free
    Path("/proc/self/clear_refs").write_text("5")  # forget the highest resident size so far
    before = resident("VmRSS")
    call()
    return resident("VmHWM") - before


def free(device: torch.device) -> float:
    """Bytes that may still be allocated on a CUDA device, with what PyTorch holds there and does not use;
    without a limit on any other."""
    if device.type != "cuda":
        return float("inf")
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return torch.cuda.mem_get_info(device)[0] + unused


def resident(key: str = "VmHWM") -> float:
    """Resident MB of this process (Linux): now (VmRSS) or at its highest (VmHWM)."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(key))
    return int(line.split()[1]) / 1024
