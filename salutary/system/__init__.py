"""What the program stands on: its commands and their mistakes, conf/, devices, files, seeds, progress.

Nothing here knows what the program is about.
"""

__version__ = "0.4.0"
