"""How far a notebook is: its stages tell the runner, through one file that is used as a pipe.

    with progress.stage("simulating futures", of=len(chunks)) as advance:
        for chunk in chunks:
            ...
            advance()

A notebook runs in a process of its own, and whatever that prints would stay in the executed notebook. So the runner
makes a file and names it to the kernel in the environment variable CLV_PROGRESS; here lines of JSON are appended to it,
`terminal` reads them as they come. Without the variable a stage does nothing.

Only `artefacts` touches the files of a run, and this is none of them: it is neither made nor read here, no result
depends on it, and the runner removes it with the kernel. What cannot be written to it is lost, and nothing else.
The name of a stage reaches the log of the run, so it must not name a customer.
"""

import itertools
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

VARIABLE = "CLV_PROGRESS"
INTERVAL = 0.2  # seconds between two lines: as often as a person could read them, however often work is done
STARTED, ADVANCED, ENDED, FAILED = "started", "advanced", "ended", "failed"

_numbers = itertools.count(1)


class Advance:
    """Says how much work is done: that much more when called, that much in all with `to`; from any thread."""

    def __init__(self, of: float | None, tell: Callable[[float], None]) -> None:
        """Tell the share done of `of`; without it nothing can be told."""
        self._of, self._tell = of, tell
        self._done, self._next = 0.0, time.monotonic() + INTERVAL
        self._lock = threading.RLock()

    def __call__(self, done: float = 1) -> None:
        """Add `done` to what is done."""
        with self._lock:
            self.to(self._done + done)

    def to(self, done: float) -> None:
        """Set what is done in all; less than before is a report that another thread has overtaken."""
        with self._lock:
            self._done = max(self._done, done)
            if self._of and time.monotonic() >= self._next:
                self._tell(float(min(self._done / self._of, 1)))
                self._next = time.monotonic() + INTERVAL


@contextmanager
def stage(name: str, *, of: float | None = None) -> Iterator[Advance]:
    """Report a stage of the notebook while the block runs; `of` is its whole work in any unit, None if unknown.

    Stages may nest; the inner one is shown. One that an exception leaves has failed.
    """
    file = os.environ.get(VARIABLE)
    if not file:
        yield Advance(None, lambda share: None)
        return
    number, start = next(_numbers), time.monotonic()

    def tell(event: str, **fields: float | None) -> None:
        seconds = round(time.monotonic() - start, 3)
        _append(file, {"event": event, "number": number, "stage": name, "seconds": seconds, **fields})

    tell(STARTED, share=0.0 if of else None)
    try:
        yield Advance(of, lambda share: tell(ADVANCED, share=share))
    except BaseException:
        tell(FAILED, share=None, peak_mib=peak_mib())
        raise
    tell(ENDED, share=1.0 if of else None, peak_mib=peak_mib())


def peak_mib(*, of_children: bool = False) -> int:
    """Return the most memory (MiB, resident) this process ever held, or the largest that it started and that ended."""
    if sys.platform == "win32":
        import psutil

        return round(psutil.Process().memory_info().peak_wset / 2**20)
    import resource

    usage = resource.getrusage(resource.RUSAGE_CHILDREN if of_children else resource.RUSAGE_SELF)
    unit = 1 if sys.platform == "darwin" else 1024
    return round(usage.ru_maxrss * unit / 2**20)


def _append(file: str, report: dict[str, object]) -> None:
    line = json.dumps(report) + "\n"
    # Not created: where the runner's file is gone, nobody listens any more.
    with suppress(OSError):
        descriptor = os.open(file, os.O_WRONLY | os.O_APPEND)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)
