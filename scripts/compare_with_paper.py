"""Final accuracies of finished runs beside the paper's table 4, as Markdown.

python scripts/compare_with_paper.py outputs
"""

import sys
from pathlib import Path

from salutary.analysis.comparison import compare, markdown
from salutary.analysis.runs import read_rounds
from salutary.errors import SalutaryError

if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(f"usage: python {sys.argv[0]} FOLDER [FOLDER ...]")
    try:
        print(markdown(compare(read_rounds([Path(folder) for folder in sys.argv[1:]]))))
    except SalutaryError as error:
        sys.exit(f"compare_with_paper: {error}")
