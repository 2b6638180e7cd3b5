"""Reading ahead of who needs it, by threads or by processes: Grain's where items have numbers."""

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

from jaxcnn.data import pictures

T_co = TypeVar("T_co", covariant=True)
S = TypeVar("S")
T = TypeVar("T")
THREADS = 16  # at most: each holds an item, and more would only fight over Python's lock


class Items(Protocol[T_co]):
    """What can be read in any order, by several threads at once; for processes it can be pickled, too."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> T_co: ...


def read_ahead(items: Items[T_co], *, start: int = 0, workers: int = 0) -> Generator[T_co, None, None]:
    """The items from number `start` on, in order, a few of them read ahead: as many as there are who read.

    Each item is read whole by one thread, of as many as there are processors; or by one of `workers` processes, which
    hand arrays over in shared memory. They end with the iterator, and with this process, however it ends.

    Raises: what reading an item raises; ChildProcessError where a process dies.
    """
    import grain
    from absl import flags

    if not flags.FLAGS.is_parsed():  # as in programs that are not absl's; Grain has options there
        flags.FLAGS.mark_as_parsed()
    threads = 1 if workers else min(os.cpu_count() or 1, THREADS)
    dataset = grain.MapDataset.source(items)[start:].to_iter_dataset(grain.ReadOptions(threads, threads))
    if workers:
        dataset = dataset.mp_prefetch(grain.MultiprocessingOptions(workers), worker_init_fn=_begin)
    iterator: Any = iter(dataset)
    try:
        while True:
            try:
                item = next(iterator)
            except StopIteration:
                return
            except RuntimeError as error:
                if not str(error).startswith("Worker process was terminated"):
                    raise
                raise ChildProcessError(
                    f"a process that reads the images has died: {error} Where memory was short (a worker keeps up to "
                    f"{AHEAD} batches, some in /dev/shm), take fewer workers, or workers=0 for threads."
                ) from error
            yield item
    finally:
        iterator.close()
        del iterator  # and what it has read


def map_ahead(function: Callable[[S], T], items: Iterable[S], ahead: int) -> Iterator[tuple[S, T]]:
    """Each item with function(item), in order, computed by threads for up to `ahead` items before they are needed.

    As many items are taken from `items`, which may have no end, and so many results are held.
    """
    waiting = deque[tuple[S, Future[T]]]()
    pool = ThreadPoolExecutor(min(os.cpu_count() or 1, THREADS))
    try:
        for item in items:
            waiting.append((item, pool.submit(function, item)))
            if len(waiting) > ahead:
                first, result = waiting.popleft()
                yield first, result.result()
        for first, result in waiting:
            yield first, result.result()
    finally:
        pool.shutdown(cancel_futures=True)


AHEAD = 4  # items of a worker: one being read, one read, one in shared memory, one handed over


def _begin(index: int, count: int) -> None:
    """What a worker process does first."""
    pictures.be_silent()
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A process that is killed can't end its workers."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
