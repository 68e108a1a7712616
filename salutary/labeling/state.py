"""What is kept of an unfinished labelling, so that it goes on where it was stopped."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import astuple
from pathlib import Path

import numpy as np

from salutary.errors import Interruption, SalutaryError
from salutary.labeling.labeler import LabelRound
from salutary.labeling.track import Picks
from salutary.system import __version__
from salutary.system.files import UNFINISHED, files_in, remove_folder, tidy, write_atomic
from salutary.system.own_code import OwnCode

FIELDS = tuple(Picks.__dataclass_fields__)
# Files of the folder: whose rounds they are, and that the outputs are being written.
MARK, WRITING = "fingerprint", "writing"


class State:
    """A folder with the encoded pool and a file per round; of another command or data, it is emptied.

    ``check_free`` is told whether what is written may be there already, since this labelling was stopped
    while it was writing; it raises before anything is removed. ``doubt``: why the rounds that were there are
    gone, since another code of the user's may have made them; empty if they are not. Raises SalutaryError
    for a folder that is something else.
    """

    def __init__(
        self, folder: Path, command: dict, files: list[Path], check_free: Callable[[bool], None]
    ) -> None:
        self.folder = folder
        tidy(folder)
        settings = {name: value for name, value in command.items() if name != "force"}
        fingerprint = _fingerprint({**settings, "version": __version__}, files)
        mark = folder / MARK
        if folder.exists() and not mark.exists() and any(map(_is_strange, folder.iterdir())):
            raise SalutaryError(
                f"{folder} is there, and not what an interrupted labelling leaves: move it away"
            )
        is_same = mark.exists() and mark.read_text() == fingerprint
        check_free(is_same and was_writing(folder))
        if mark.exists() and not is_same:
            remove_folder(folder)
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(mark, fingerprint.encode())
        self._code = OwnCode(command, folder)
        self.doubt = self._code.doubt() if self._file(0).exists() else ""
        if self.doubt:  # the encoded pool depends on no code of the user's
            for file in sorted(folder.glob("round-*.npz"), reverse=True):  # the first, which starts all, last
                file.unlink()

    def writes(self) -> None:
        """From now on the outputs are there in part, until the folder is removed."""
        (self.folder / WRITING).touch()

    def add(self, record: LabelRound) -> None:
        """Write a round; it is there whole or not at all."""
        self._code.note()
        arrays = {
            f"{name}-{track}": array
            for track, picks in enumerate(record.picks)
            for name, array in zip(FIELDS, astuple(picks), strict=True)
            if array is not None  # labels that are no distributions
        }
        if record.held_out:
            arrays["losses"], arrays["hits"] = record.held_out
        buffer = io.BytesIO()
        np.savez(buffer, validation=record.validation, seconds=record.seconds, **arrays)
        write_atomic(self._file(record.number), buffer.getvalue())

    def rounds(self) -> tuple[LabelRound, ...]:
        """The rounds that were finished, from round 0 on."""
        done: list[LabelRound] = []
        while (file := self._file(len(done))).exists():
            done.append(_read(file, len(done)))
        return tuple(done)

    @contextlib.contextmanager
    def until_written(self) -> Iterator[None]:
        """The folder goes when all is written, and with a mistake in the files, which trying again would find
        again. It stays for whatever else stops the labelling; but no round is trusted any more if a class of
        the user's raised the error.
        """
        try:
            yield
        except Interruption:
            raise
        except SalutaryError:
            self.remove()
            raise
        except Exception as error:
            if self._code.raised(error):
                self._code.forget()
            raise
        self.remove()

    def remove(self) -> None:
        remove_folder(self.folder)

    def _file(self, number: int) -> Path:
        return self.folder / f"round-{number:05}.npz"


def was_writing(folder: Path) -> bool:
    """Whether a labelling was stopped while it wrote its outputs; ``folder``: what it left."""
    return (folder / WRITING).exists()


def _is_strange(file: Path) -> bool:
    return not (file.name.startswith(f".{MARK}.") and file.name.endswith(UNFINISHED))


def _read(file: Path, number: int) -> LabelRound:
    with np.load(file, allow_pickle=False) as arrays:
        n_tracks = sum(name.startswith(f"{FIELDS[0]}-") for name in arrays.files)
        picks = tuple(Picks(*(arrays.get(f"{name}-{i}") for name in FIELDS)) for i in range(n_tracks))
        held_out = (arrays["losses"], arrays["hits"]) if "losses" in arrays.files else None
        loss, accuracy = arrays["validation"].tolist()
        return LabelRound(number, picks, (loss, accuracy), held_out, float(arrays["seconds"]))


def _fingerprint(command: dict, files: list[Path]) -> str:
    """Of a command's settings and, by size and time, of the files; a folder stands for those in it."""
    inside = [each for file in files for each in files_in(file)]
    stats = [(str(each.resolve()), each.stat().st_size, each.stat().st_mtime_ns) for each in inside]
    return hashlib.sha256(json.dumps([command, stats], sort_keys=True).encode()).hexdigest()
