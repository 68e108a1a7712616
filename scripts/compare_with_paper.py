"""Final accuracies of finished runs beside the paper's table 4, and their reference lines, as Markdown.

python scripts/compare_with_paper.py outputs
"""

import sys
from pathlib import Path

from salutary.analysis.comparison import compare, compare_references, markdown
from salutary.analysis.runs import read_references, read_rounds
from salutary.errors import SalutaryError

if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(f"usage: python {sys.argv[0]} FOLDER [FOLDER ...]")
    folders = [Path(folder) for folder in sys.argv[1:]]
    try:
        print(markdown(compare(read_rounds(folders))))
        print()
        print(markdown(compare_references(read_references(folders))))
    except SalutaryError as error:
        sys.exit(f"compare_with_paper: {error}")
