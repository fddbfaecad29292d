"""Customers in chunks and blocks, so that memory grows with a block; the same results with any number of workers."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice, starmap
from typing import Any

import numpy as np

from clv import progress

# Part of the result: another size spawns other random numbers.
CHUNK_CUSTOMERS = 2048

# No part of the result either: customers at a time where each needs a number for every draw.
BLOCK_CUSTOMERS = 2048

# No part of the result: a chunk's blocks use its generators in turn. Two megabytes stay in a core's cache.
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
    """Yield each part and task(*told(part)), in order, as the `stage` that the terminal names.

    What a task is told it is told here, and it changes nothing of it: only what it returns counts.
    """
    with progress.stage(stage, of=len(parts)) as advance:
        for part, found in zip(parts, _by_threads(task, map(told, parts), workers), strict=True):
            yield part, found
            advance()


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
