"""The source of the user's own classes, by which rounds were made: what an interrupted
run or labelling is compared by."""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from salutary.system.environment import changed_meanwhile, others, own_code
from salutary.system.files import checksum, write_atomic


class OwnCode:
    """Notes in ``code.json`` of what is unfinished which files its classes from elsewhere are built on.

    These are the modules of every ``_target_`` in the configuration, and what else of the user's is loaded,
    with their checksums; null where that cannot be told, since a file changed after it was loaded.
    """

    def __init__(self, config: dict, folder: Path):
        self.packages = others(frozenset(target.partition(".")[0] for target in targets(config)))
        self.file = folder / "code.json"
        self._noted: dict[str, str] | None = {}

    def note(self) -> None:
        """Write what there is, if it is more than before: a class may import while it works.

        Raises OSError.
        """
        found = own_code(self.packages) if self.packages else {}
        noted = self._noted
        if noted is None or any((found or {}).get(path, there) != there for path, there in noted.items()):
            found = None  # changed after it was loaded, whatever a clock that was set says
        if found != noted:
            write_atomic(self.file, json.dumps(found, indent=2).encode())
            self._noted = found

    def doubt(self) -> str:
        """Why rounds that are there may be another code's; empty if they are not."""
        if not self.packages:
            return ""
        try:
            noted = json.loads(self.file.read_bytes())
        except (OSError, ValueError):
            return "a class of your own failed in it"
        if noted is None:
            return "it cannot be told which code of your own made its rounds"
        changed = [Path(path).name for path, content in noted.items() if _is_other(Path(path), content)]
        return f"{', '.join(changed)} changed since" if changed else ""

    def forget(self) -> None:
        """No rounds that are there are trusted any more."""
        self.file.unlink(missing_ok=True)

    def raised(self, error: BaseException) -> bool:
        """Whether a class of the user's raised the error, or what it called did."""
        files = own_code(self.packages) if self.packages else {}
        frames = {str(Path(frame.f_code.co_filename)) for frame, _ in traceback.walk_tb(error.__traceback__)}
        return files is None or bool(frames & files.keys())


def _is_other(path: Path, content: str) -> bool:
    try:
        return changed_meanwhile(path) or checksum(path) != content
    except OSError:
        return True


def targets(settings: object) -> Iterator[str]:
    """Every ``_target_`` in some settings, and the class of every object that stands for one."""
    if isinstance(settings, Mapping):
        yield from (str(settings[name]) for name in ("_target_", "object") if name in settings)
        settings = list(settings.values())
    if isinstance(settings, Iterable) and not isinstance(settings, str):
        for each in settings:
            yield from targets(each)
