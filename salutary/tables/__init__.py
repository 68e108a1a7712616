"""Your own tables: files of rows and columns, what the columns hold, and features made of them.

- ``files``: CSV, Parquet, Feather and NPZ behind one interface, read in blocks.
- ``schema``: which columns are numbers, which are categories, and which are left out, and why.
- ``features``: the scikit-learn preprocessor, fitted on training rows only.
- ``rows``: rows as a saved model takes them.
- ``labels``: the classes of a target column; ``groups``: the groups of a column.
"""

# The class number of a row whose class nobody knows.
UNLABELED = -1
