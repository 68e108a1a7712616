"""Old way to the study of confidence, gone in 0.5.0: python scripts/confidence_study.py FOLDER FIGURES

Runs of ``experiment=confidence`` are a section of ``salutary-report`` now.
"""

import sys
from pathlib import Path

from salutary.analysis.sections import Records
from salutary.analysis.sections.confidence import section
from salutary.analysis.style import SCREEN
from salutary.errors import SalutaryError

if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(f"usage: python {sys.argv[0]} FOLDER FIGURES")
    print(
        "scripts/confidence_study.py is a section of salutary-report now, and gone in 0.5.0", file=sys.stderr
    )
    try:
        with SCREEN.applied():
            study = section(Records([Path(sys.argv[1])]))
    except SalutaryError as error:
        sys.exit(f"confidence_study: {error}")
    print(study.text)
    for name, figure in study.figures.items():
        figure.savefig(Path(sys.argv[2], f"{name}.png"), dpi=110)
