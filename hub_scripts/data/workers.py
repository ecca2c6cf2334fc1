"""Work spread over processes, with results in order and only a few tasks in memory at a time."""

import multiprocessing
import multiprocessing.connection
import os
import signal
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
    """Lists of `size` items, the last one shorter."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


@contextmanager
def workers(num_proc: int) -> Iterator[Executor | None]:
    """A process pool, or None for work in this process. Ctrl-C is for this process alone: it ends the others.

    Raises:
        MotionLLMError: a worker was ended from outside.
    """
    if num_proc == 1:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # as in a worker: sums then come out the same
        try:
            yield None
        finally:
            torch.set_num_threads(threads)
        return
    context = multiprocessing.get_context("spawn")
    ending, end = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(num_proc, context, initializer=_start_worker, initargs=(ending,))
    try:
        yield pool
    except KeyboardInterrupt:
        end.close()  # nobody waits for what they are doing
        raise
    except BrokenProcessPool as error:
        raise MotionLLMError(
            "a worker process was ended from outside (out of memory?); give the same command with --num-proc 1, "
            "it continues where this one stopped"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)
        end.close()
        ending.close()


def _start_worker(ending: multiprocessing.connection.Connection) -> None:
    torch.set_num_threads(1)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel, ending), daemon=True).start()


def _end_with(sentinel: int, ending: multiprocessing.connection.Connection) -> None:
    """End this worker when its parent is gone or says so: waiting for work, it would never notice a killed parent."""
    multiprocessing.connection.wait([sentinel, ending])
    os._exit(1)


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Hold Ctrl-C back; a process that is started meanwhile never gets it, and so has nothing to say about it."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def in_order(pool: Executor | None, num_proc: int, function: Callable[[_T], _R], tasks: Iterable[_T]) -> Iterator[_R]:
    """Results in the order of the tasks, with only a few tasks in memory at a time."""
    if pool is None:
        yield from map(function, tasks)
        return
    waiting: deque[Future[_R]] = deque()
    for task in tasks:
        with _without_interrupts():
            future = pool.submit(function, task)
        waiting.append(future)
        if len(waiting) > 2 * num_proc:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
