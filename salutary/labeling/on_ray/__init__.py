"""Pools on a Ray cluster: encoded and scored where their rows are (``backend=ray``).

A row of the Ray Data set is a chunk of the pool: numbers of rows, and their encoded features. Our own readers
make it, so that values mean what they mean in ``backend=local``.
"""
