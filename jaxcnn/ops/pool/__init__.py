"""Pooling in windows, in bins, and of the whole image; unpooling."""

from jaxcnn.ops.pool.adaptive_pool import adaptive_avg_pool, adaptive_max_pool, adaptive_max_pool_with_indices
from jaxcnn.ops.pool.avg_pool import avg_pool
from jaxcnn.ops.pool.global_pool import global_avg_pool, global_max_pool
from jaxcnn.ops.pool.lp_pool import lp_pool
from jaxcnn.ops.pool.max_pool import max_pool
from jaxcnn.ops.pool.max_unpool import max_pool_with_indices, max_unpool

__all__ = [
    "adaptive_avg_pool",
    "adaptive_max_pool",
    "adaptive_max_pool_with_indices",
    "avg_pool",
    "global_avg_pool",
    "global_max_pool",
    "lp_pool",
    "max_pool",
    "max_pool_with_indices",
    "max_unpool",
]
