"""``salutary-plot`` in a checkout, and its arguments: python scripts/plot_figures.py figure=2 style=paper"""

from salutary.analysis.report import plot

if __name__ == "__main__":
    plot()
