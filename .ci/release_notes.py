"""Checks what must say the same of a release: CHANGELOG.md, CITATION.cff and the package; prints the version.

python .ci/release_notes.py                 # what is to be released now
python .ci/release_notes.py rehearsal       # the version's section need not have a date yet
"""

import datetime
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
UNRELEASED = "unreleased"


def section(changelog: str, version: str) -> tuple[str, str]:
    """What stands in brackets behind the version, and what is below. Exits if there is none."""
    found = re.search(rf"^## {re.escape(version)} \(([^)]+)\)\n(.*?)(?=^## |\Z)", changelog, re.M | re.S)
    if not found:
        sys.exit(f"CHANGELOG.md has no section '## {version} (DATE)'")
    return found[1], found[2]


def deprecated(text: str) -> str:
    """The list of what goes in a later version. Exits if there is none."""
    found = re.search(r"^### Deprecated\n(.*?)(?=^### |\Z)", text, re.M | re.S)
    if not found or "\n- " not in f"\n{found[1]}":
        sys.exit("CHANGELOG.md: the version's section has no list '### Deprecated'")
    return found[1]


def version_of(package: str) -> str:
    return re.search(r'^__version__ = "([^"]+)"$', package, re.M)[1]


def main(rehearsal: bool) -> None:
    version = version_of((ROOT / "salutary" / "system" / "__init__.py").read_text())
    date, text = section((ROOT / "CHANGELOG.md").read_text(), version)
    deprecated(text)
    if date != UNRELEASED:
        datetime.date.fromisoformat(date)
    elif not rehearsal:
        sys.exit(f"CHANGELOG.md: {version} has no date yet; make release REHEARSAL=1 checks all else")
    if f"\nversion: {version}\n" not in (ROOT / "CITATION.cff").read_text():
        sys.exit(f"CITATION.cff is of another version than {version}")
    print(version)


if __name__ == "__main__":
    main(sys.argv[1:] == ["rehearsal"])
