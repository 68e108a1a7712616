"""The Ray cluster that a labelling runs on: joined or started, and silent."""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from salutary.errors import Interruption, SalutaryError, needs
from salutary.labeling.on_ray.rules import LostBlocks
from salutary.system.files import FULL
from salutary.system.progress import counting_bar
from salutary.system.ray_cluster import ClusterError, imported_ray, start_ray

if TYPE_CHECKING:
    import pyarrow
    import ray.data

Value = TypeVar("Value")
Step = Callable[["pyarrow.Table"], "Iterator[pyarrow.Table]"]
# Results that are put together at a time.
FAN_IN = 32
# Of the bytes that the cluster's object stores hold, what an encoded pool may take.
SHARE = 0.5
# Of what is shared with workers, how many each process has unpacked.
AT_HAND = 5
# Bytes of the features of one chunk, at most; and chunks of each worker, at least.
CHUNK_BYTES = 32 * 2**20
SHARES = 2
# Of Ray Data: no bar but ours, and a chunk is a block, however small it is.
SILENT = {"enable_progress_bars": False, "print_on_execution_start": False, "target_max_block_size": 2**20}


def require_ray() -> None:
    """Raises SalutaryError if it is not installed."""
    imported_ray()
    try:
        import ray.data  # noqa: F401
    except ImportError as error:
        raise needs("ray", "ray") from error


@contextlib.contextmanager
def joined() -> Iterator[Cluster]:
    """The cluster of RAY_ADDRESS, or one that runs here, or one that is started and ends with this."""
    require_ray()
    import ray

    ours = not ray.is_initialized()
    if ours:
        start_ray()
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    context = ray.data.DataContext.get_current()
    before = {name: getattr(context, name) for name in SILENT}
    _set(context, SILENT)
    try:
        yield Cluster()
    finally:
        _set(context, before)
        if ours:
            ray.shutdown()


def _set(context: ray.data.DataContext, values: dict[str, Any]) -> None:
    for name, value in values.items():
        setattr(context, name, value)


@contextlib.contextmanager
def one_line() -> Iterator[None]:
    """Raises what workers raise of ours as it is, and of Ray's errors one line, as ClusterError."""
    try:
        yield
    except Exception as error:
        raise (_ours(error) or _rays(error) or error) from error


def _ours(error: BaseException) -> SalutaryError | None:
    """The error of ours that a worker raised, within those that Ray makes of it."""
    from ray.exceptions import RayTaskError

    for each in _chain(error):
        if isinstance(each, SalutaryError) and not isinstance(each, RayTaskError):
            kind = Interruption if isinstance(each, Interruption) else SalutaryError
            return kind(str(each).splitlines()[0])  # Ray adds its own advice
    return None


def _rays(error: BaseException) -> ClusterError | None:
    from ray.exceptions import ObjectLostError, RayError, RayTaskError

    for each in _chain(error):
        if isinstance(each, ObjectLostError):
            return LostBlocks(f"backend=ray: a machine of the cluster is gone: {type(each).__name__}")
        if isinstance(each, OSError) and not isinstance(each, RayTaskError) and each.errno in FULL:
            return ClusterError(f"{each.filename or 'a file'} cannot be written: {os.strerror(each.errno)}")
    if not isinstance(error, RayError) or isinstance(error, RayTaskError):
        return None  # a mistake in this program is told with all lines
    lines = str(error).strip().splitlines() or [""]
    return ClusterError(f"backend=ray: {type(error).__name__}: {lines[0].strip()}")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and those that it came from."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        seen.append(error)
        yield error
        error = getattr(error, "cause", None) or error.__cause__ or error.__context__


class Shared(Generic[Value]):
    """What all workers need: it comes with a step, once to each machine, and each process unpacks it once.

    A task that asked for an object by its reference would wait, and Ray begin another process meanwhile.
    """

    _here: dict[str, Any] = {}

    def __init__(self, value: Value):
        import ray

        self.key, content = uuid.uuid4().hex, ray.cloudpickle.dumps(value)
        self._content = np.frombuffer(content, np.uint8)  # which processes read where it lies

    @property
    def nbytes(self) -> int:
        """What each machine gets."""
        return self._content.nbytes

    def get(self) -> Value:
        value = Shared._here.pop(self.key) if self.key in Shared._here else pickle.loads(self._content.data)
        Shared._here[self.key] = value  # behind all that was asked for less recently
        while len(Shared._here) > AT_HAND:
            Shared._here.pop(next(iter(Shared._here)))
        return value


class Cluster:
    """``moved``: bytes of results that came to this process so far."""

    def __init__(self) -> None:
        self.moved = 0

    @property
    def room(self) -> float:
        """Bytes of an encoded pool that is kept."""
        import ray

        return SHARE * ray.cluster_resources().get("object_store_memory", 0)

    def chunk_rows(self, n_rows: int | None, width: int) -> int:
        """Rows of a chunk: few enough for memory, and for all workers to have some."""
        import ray

        share = -(-(n_rows or 0) // int(SHARES * ray.cluster_resources().get("CPU", 1))) or CHUNK_BYTES
        return max(1, min(share, CHUNK_BYTES // (4 * width)))

    def mapped(self, data: ray.data.Dataset, step: Step, **resources: Any) -> ray.data.Dataset:
        """``step`` of each block of ``data``: in tasks, or where it needs a GPU in actors that hold one."""
        import ray

        settings: dict[str, Any] = {"batch_size": None, "batch_format": "pyarrow", "zero_copy_batch": True}
        if not resources.get("num_gpus"):
            return data.map_batches(_run, fn_kwargs={"step": step}, **settings, **resources)
        n = int(ray.cluster_resources().get("GPU", 0))
        if not n:
            raise SalutaryError("device=cuda, but the Ray cluster has no GPU; use device=cpu")
        actors = ray.data.ActorPoolStrategy(size=n)
        settings["batch_size"] = 1  # a chunk; of a GPU Ray wants to be told
        return data.map_batches(
            _Actor, fn_constructor_kwargs={"step": step}, compute=actors, **settings, **resources
        )

    def blocks(self, data: ray.data.Dataset, title: str, total: int | None, shown: bool) -> list[Any]:
        """References to all blocks of ``data``, which are computed as they are asked for."""
        found = []
        with one_line(), counting_bar(title, total, shown) as advance:
            for bundle in data.iter_internal_ref_bundles():
                found.extend(bundle.block_refs)
                advance(1)
        return found

    def each(self, refs: Sequence[Any], step: Step) -> list[Any]:
        """References to what ``step`` makes of each block, a table or None, in tasks of their own: for what
        is quick, since a pass of Ray Data's takes half a second to begin.
        """
        import ray

        run, step_there = ray.remote(_together).options(max_retries=-1), ray.put(step)
        return [run.remote(step_there, ref) for ref in refs]

    def reduced(self, refs: Sequence[Any], merge: Callable[..., Value]) -> Value:
        """``merge`` of all blocks, some at a time, on the workers; only the last result comes here."""
        import ray

        merging = ray.remote(_merged).options(max_retries=-1)
        refs = list(refs)
        while True:
            starts = range(0, max(len(refs), 1), FAN_IN)
            refs = [merging.remote(merge, *refs[i : i + FAN_IN]) for i in starts]
            if len(refs) == 1:
                return self.fetched(refs)[0]

    def fetched(self, refs: Sequence[Any]) -> list[Any]:
        """The values themselves."""
        import ray

        with one_line():
            values = ray.get(list(refs))
        self.moved += sum(_size(each) for each in values)
        return values


def _merged(merge: Callable[..., Value], *parts: Any) -> Value:
    return merge(*parts)


def _together(step: Step, table: pyarrow.Table) -> pyarrow.Table | None:
    import pyarrow

    found = [*step(table)]
    return pyarrow.concat_tables(found) if found else None


def _size(value: Any) -> int:
    return len(value) if isinstance(value, bytes) else int(getattr(value, "nbytes", 0))


def _run(table: pyarrow.Table, step: Step) -> Iterator[pyarrow.Table]:
    yield from step(table)


class _Actor:
    def __init__(self, step: Step):
        self._step = step

    def __call__(self, table: pyarrow.Table) -> Iterator[pyarrow.Table]:
        yield from self._step(table)
