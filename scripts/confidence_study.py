"""The tables and figures of docs/confidence.md from the records of its runs.

python scripts/confidence_study.py FOLDER FIGURES
"""

import sys
from pathlib import Path

from salutary.analysis.sections.confidence import cells, draw, markdown_cells, read_study, verdict
from salutary.errors import SalutaryError

if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(f"usage: python {sys.argv[0]} FOLDER FIGURES")
    try:
        study = read_study([Path(sys.argv[1])])
    except SalutaryError as error:
        sys.exit(f"confidence_study: {error}")
    table, accuracy = cells(study), cells(study, "test_accuracy")
    print(verdict(table).to_string())
    for protocol in table.index.unique("protocol"):
        print(f"\n{protocol}, test loss, thousandths\n\n{markdown_cells(table, protocol)}")
        text = markdown_cells(accuracy, protocol, "{:+.1f}", -1e-2)
        print(f"\n{protocol}, test accuracy, percentage points\n\n{text}")
        draw(table, protocol).savefig(Path(sys.argv[2], f"confidence-{protocol}.png"), dpi=110)
