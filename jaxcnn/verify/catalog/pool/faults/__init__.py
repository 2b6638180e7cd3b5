"""The planted faults of the family pool, a file for each of its operations' files."""

from jaxcnn.verify.catalog.fault import Fault
from jaxcnn.verify.catalog.pool.faults import adaptive_pool, avg_pool, global_pool, lp_pool, max_pool, max_unpool

FAULTS: list[Fault] = [
    *max_pool.FAULTS,
    *avg_pool.FAULTS,
    *lp_pool.FAULTS,
    *adaptive_pool.FAULTS,
    *global_pool.FAULTS,
    *max_unpool.FAULTS,
]
