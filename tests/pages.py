"""Code blocks of the pages: what is fenced as Python or YAML, and commands, which stand indented."""

import re
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROGRAMS = (
    "salutary-run",
    "salutary-label",
    "salutary-report",
    "salutary-plot",
    "salutary-collect",
    "python",
    "pip",
)


def pages() -> list[Path]:
    """README and all below docs/ that is written by hand."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def fenced(page: Path, kind: str) -> list[str]:
    """The blocks of a kind, in order."""
    return re.findall(rf"^```{kind}\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


def commands(page: Path) -> list[str]:
    """Commands that stand indented or fenced as sh, continued lines joined, comments cut off."""
    text = re.sub(r"^```(?!sh\b).*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"^```sh\n(.*?)^```", lambda m: textwrap.indent(m[1], "    "), text, flags=re.DOTALL | re.M)
    lines = text.replace("\\\n", " ").splitlines()
    found = [re.sub(r"\s+#.*", "", line).strip() for line in lines if line.startswith("    ")]
    return [each for each in found if each.split(" ")[0] in (*PROGRAMS, "make")]
