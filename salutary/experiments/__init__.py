"""``salutary-run``: strategies compared on data sets, in rounds, with records that can be trusted.

- ``cli``, ``settings``, ``help``: the command. ``parts``, ``split``, ``problem``: who gets which rows.
- ``loop``: the rounds. ``rounds``, ``metrics``, ``references``: what is told of them.
- ``records``, ``resume``: what a run leaves, and reading it back. ``identity``, ``contents``: its name, which
  is of its settings and data.
- ``sweep``, ``grids``, ``journal``, ``collect``, ``runs``, ``mlflow``: sweeps, and finished runs as tables.
- ``studies``: what else a run can measure.
"""
