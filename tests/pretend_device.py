"""A device that is not the CPU, for machines without one: its tensors say so, and are computed here.

What mixes the two without a copy fails, as on CUDA, and everything for which the host would have to wait is
counted. PyTorch's own way to a device written in Python makes ``torch.device("pretend")`` known.

Not beside CUDA: where such a device is known, autograd takes that for the one whose streams it follows, and
backward passes on CUDA leave the stream of their forward ones, with the graph that is captured there.
"""

import functools

import pytest
import torch
from torch.utils import _pytree as pytree
from torch.utils import backend_registration
from torch.utils._python_dispatch import TorchDispatchMode

from salutary.system.device import Device

# Operations that may take tensors of both devices, and those whose result the host has to wait for.
COPIES = ("_to_copy", "copy_", "_local_scalar_dense", "index", "index_put_", "_index_put_impl_")
WAITS = ("_local_scalar_dense", "nonzero", "masked_select", "_unique2", "unique_dim", "equal")


@functools.cache
def pretend() -> torch.device:
    """The device; skips a test where there is a real one."""
    if torch.cuda.is_available():
        pytest.skip("PyTorch follows the streams of one kind of device only, and here that is CUDA")

    class Backend(backend_registration._DummyBackendModule):
        def device_count(self):
            return 0  # for what asks for all devices there are

        def get_amp_supported_dtype(self):
            return [torch.bfloat16]

    backend_registration._setup_privateuseone_for_python_backend("pretend", Backend())
    # torch.tensor(..., device=...) asks the device itself.
    library = torch.library.Library("aten", "IMPL")
    library.impl("empty_strided", _empty_strided, "PrivateUse1")
    library.impl("_copy_from", _copy_from, "PrivateUse1")
    # Inside of autocast everything keeps its precision.
    every = torch.library.Library("_", "IMPL")
    every.fallback(torch.library.fallthrough_kernel, "AutocastPrivateUse1")
    _libraries.extend((library, every))
    return torch.device("pretend", 0)


_libraries = []


def _empty_strided(size, stride, *, dtype=None, layout=None, device=None, pin_memory=None):
    return Elsewhere(torch.empty_strided(size, stride, dtype=dtype))


def _copy_from(source, target, non_blocking=False):
    target.here.copy_(source)
    return target


class PretendDevice(Device):
    """``device._target_=pretend_device.PretendDevice``, inside of :class:`Pretending`."""

    def __init__(self, name="cpu", dtype="float64", threads=1, cores=None, turns=True):
        super().__init__("cpu", dtype, threads, cores)
        self.name = pretend()

    description = "pretend"


class Elsewhere(torch.Tensor):
    """A tensor on the pretended device; ``here``: the same on the CPU."""

    here: torch.Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, here: torch.Tensor):
        new = torch.Tensor._make_wrapper_subclass(
            cls,
            here.shape,
            strides=here.stride(),
            storage_offset=here.storage_offset(),
            dtype=here.dtype,
            device=pretend(),
        )
        new.here = here
        return new

    @classmethod
    def __torch_dispatch__(cls, function, types, arguments=(), options=None):
        return computed(function, arguments, options or {})[0]

    # What PyTorch refuses for any subclass.
    def tolist(self):
        return self.cpu().tolist()

    def numpy(self, *, force=False):
        if not force:
            raise TypeError("numpy() of a tensor that is not on the CPU")
        return self.detach().cpu().numpy()

    def __repr__(self, **_):
        return f"Elsewhere({self.here})"


class Pretending(TorchDispatchMode):
    """Inside of it the device exists; ``waits``: the names of operations that the host waited for."""

    def __init__(self):
        super().__init__()
        self.waits = []

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        result, waited = computed(function, arguments, options or {})
        self.waits += waited
        return result


def computed(function, arguments, options):
    """The operation's result, on the device that it belongs to, and its name if the host waits for it."""
    name = function.overloadpacket.__name__
    tensors = [x for x in pytree.tree_leaves((arguments, options)) if isinstance(x, torch.Tensor)]
    there = {id(x.here): x for x in tensors if isinstance(x, Elsewhere)}
    # A number may come from the CPU, as on CUDA.
    strays = [x for x in tensors if not isinstance(x, Elsewhere) and x.ndim]
    if there and strays and name not in COPIES:
        raise RuntimeError(f"{name} mixes devices: {[tuple(x.shape) for x in strays]} are on the CPU")
    device = torch.device(options.get("device") or (pretend() if there else "cpu"))
    if options.get("device") is not None:
        options = {**options, "device": "cpu"}
    arguments, options = pytree.tree_map(
        lambda x: x.here if isinstance(x, Elsewhere) else x, (arguments, options)
    )

    def placed(x):
        if not isinstance(x, torch.Tensor) or device.type == "cpu":
            return x
        return there[id(x)] if id(x) in there else Elsewhere(x)  # in place: the same tensor as before

    waits = there and (name in WAITS or (name == "_to_copy" and device.type == "cpu"))
    return pytree.tree_map(placed, function(*arguments, **options)), [name] * bool(waits)
