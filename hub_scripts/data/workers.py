"""Worker processes: tasks in, results out in the same order, and no orphan left behind."""

import multiprocessing
import multiprocessing.connection
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

import torch

from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = ["batched", "in_order", "workers"]

_T = TypeVar("_T")
_R = TypeVar("_R")


def batched(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    """Lists of `size` items each; the last may be shorter."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


@contextmanager
def workers(num_proc: int) -> Iterator[Executor | None]:
    """A process pool, or None for work in this process."""
    if num_proc == 1:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # as in a worker: sums then come out the same
        try:
            yield None
        finally:
            torch.set_num_threads(threads)
        return
    pool = ProcessPoolExecutor(num_proc, multiprocessing.get_context("spawn"), initializer=_start_worker)
    try:
        yield pool
    except BrokenProcessPool as error:
        raise MotionLLMError(
            "a worker process was ended from outside (out of memory?); give the same command with --num-proc 1, "
            "it continues where this one stopped"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    torch.set_num_threads(1)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    """End this worker when its parent is gone: waiting for work, it would never notice a killed parent."""
    multiprocessing.connection.wait([sentinel])
    os._exit(1)


def in_order(pool: Executor | None, num_proc: int, function: Callable[[_T], _R], tasks: Iterable[_T]) -> Iterator[_R]:
    """Results in the order of the tasks, with only a few tasks in memory at a time."""
    if pool is None:
        yield from map(function, tasks)
        return
    waiting: deque[Future[_R]] = deque()
    for task in tasks:
        waiting.append(pool.submit(function, task))
        if len(waiting) > 2 * num_proc:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
