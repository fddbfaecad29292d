"""Customers in chunks and blocks, so that memory grows with a block; the same results with any number of workers."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import batched, islice, starmap
from typing import Any

import numpy as np

from clv import progress
from clv.forecast import cluster

# Part of the result: another size spawns other random numbers.
CHUNK_CUSTOMERS = 2048

# Part of the result too: the totals of so many chunks are added up, where they are computed, before all others.
RUN = 16

# No part of the result: so few runs, 65,536 customers, are computed sooner than sent, what they keep for ranks least.
FEW_RUNS = 2

# No part of the result: customers at a time where each needs a number for every draw.
BLOCK_CUSTOMERS = 2048

# Nor this: a chunk's blocks use its generators in turn. Two megabytes stay in a core's cache.
BLOCK_BYTES = 2 * 2**20
_BYTES_PER_FUTURE = 12  # its purchases and its value


def blocks(start: int, stop: int, size: int) -> Iterator[slice]:
    """Yield the rows from `start` to `stop` in blocks; no rows are one empty block."""
    for first in range(start, max(stop, start + 1), size):
        yield slice(first, min(first + size, stop))


def seeded(customers: int, seed: Any) -> list[tuple[slice, np.random.SeedSequence]]:
    """Return the rows of each chunk of customers, nobody being one empty chunk, and its own seed."""
    rows = list(blocks(0, customers, CHUNK_CUSTOMERS))
    return list(zip(rows, np.random.SeedSequence(seed).spawn(len(rows)), strict=True))


def simulated_at_once(draws: int, block_bytes: int = BLOCK_BYTES) -> int:
    """Return how many customers' futures are simulated as one block."""
    return max(block_bytes // (draws * _BYTES_PER_FUTURE), 1)


def in_order(
    stage: str, task: Callable[..., Any], parts: Sequence[Any], told: Callable[[Any], tuple[Any, ...]], workers: int
) -> Iterator[tuple[Any, Any]]:
    """Yield each part and task(*told(part)), in order; as `in_runs`."""
    for run, found in in_runs(stage, task, list, parts, told, workers):
        yield from zip(run, found, strict=True)


def in_runs(
    stage: str, task: Callable[..., Any], added: Callable[[Iterable[Any]], Any], parts: Sequence[Any],
    told: Callable[[Any], tuple[Any, ...]], workers: int,
) -> Iterator[tuple[Sequence[Any], Any]]:  # fmt: skip
    """Yield runs of parts and added(task(*told(part)) of each), in order, as the `stage` that the terminal names.

    What a task is told it is told here, and it changes nothing of it: only what it returns counts. So a run can be
    computed by another machine, and is where `cluster.VARIABLE` names some and there are enough to be worth the way;
    `workers` are then the runs at a time.
    """
    url, runs = os.environ.get(cluster.VARIABLE), list(batched(parts, RUN, strict=False))
    with progress.stage(stage, of=len(parts)) as advance:
        if url and len(runs) > FEW_RUNS:
            given = (([told(part) for part in run],) for run in runs)
            remote = cluster.remote(url, partial(_run, task, added))
            for run, found in zip(runs, _by_threads(remote, given, workers), strict=True):
                yield run, found
                advance(len(run))
            return

        def counted(found: Any) -> Any:
            advance()
            return found

        each = map(counted, _by_threads(task, map(told, parts), workers))
        yield from ((run, added(islice(each, len(run)))) for run in runs)


def _run(task: Callable[..., Any], added: Callable[[Iterable[Any]], Any], arguments: list[tuple[Any, ...]]) -> Any:
    return added(starmap(task, arguments))


def _by_threads(task: Callable[..., Any], arguments: Iterable[tuple[Any, ...]], workers: int) -> Iterator[Any]:
    """Yield task(*arguments) in order with `workers` threads, at most two results per thread waiting."""
    if workers == 1:
        yield from starmap(task, arguments)
        return
    with ThreadPoolExecutor(workers) as pool:
        todo = iter(arguments)
        running = [pool.submit(task, *given) for given in islice(todo, 2 * workers)]
        while running:
            yield running.pop(0).result()
            running += [pool.submit(task, *given) for given in islice(todo, 1)]
