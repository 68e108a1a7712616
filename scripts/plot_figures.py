"""``salutary-plot`` from a checkout: python scripts/plot_figures.py outputs -o figures"""

from salutary.analysis.report import plot

if __name__ == "__main__":
    plot()
