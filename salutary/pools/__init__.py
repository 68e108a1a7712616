"""Pools that need not fit into memory: files of features, scored block by block.

Blocks come, are scored, and go; only the best so many rows stay. The features are those the model was
trained on, prepared in the same way.

    pool = open_pool("pool.npy")                     # or a .parquet file, or a folder of them
    S = engine.validation_direction(model.coef_, model.penalty_, X_hessian=..., ...)
    best = best_points(pool, model.coef_, S, budget=100, progress=True)
    best.rows, best.labels, best.influence
"""

from salutary.pools.best import BestPoints, TopRows, best_points, check_finite, scored_blocks
from salutary.pools.matrices import ArrayPool, FilePool, NpyPool, ParquetPool, Pool, open_pool

__all__ = [
    "ArrayPool",
    "BestPoints",
    "FilePool",
    "NpyPool",
    "ParquetPool",
    "Pool",
    "TopRows",
    "best_points",
    "check_finite",
    "open_pool",
    "scored_blocks",
]
