"""What a kernel reports of its stages: the running one goes to the terminal, those that ended to the log.

The terminal has one line for this, written over again and again and erased in the end. Two notebooks
that run side by side share it and take turns.
"""

import json
import os
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

from clv import progress
from clv.run.folder import Run

POLL = 0.2  # seconds
TURN = 2  # seconds that one of several runners keeps the line: long enough to read it
# Before this a first slow or quick piece of work decides the estimate.
TRUSTED_SECONDS, TRUSTED_SHARE = 2, 0.01
BEGINNING, ERASE = "\r", "\x1b[K"


@dataclass(frozen=True)
class Stage:
    """A stage as it was last reported: the share done (None: unknown), its age then, and when that was."""

    name: str
    share: float | None
    seconds: float
    heard: float

    def status(self, now: float) -> str:
        """Return the share done and the time left, or the time gone by where the share is unknown."""
        if self.share is None:
            return clock(self.seconds + now - self.heard)
        percent = f"{int(self.share * 100)} %"
        if self.seconds < TRUSTED_SECONDS or self.share < TRUSTED_SHARE:
            return percent
        left = self.seconds * (1 - self.share) / self.share - (now - self.heard)
        return f"{percent}  {clock(left)} left" if left > 0 else percent


class Follower:
    """While it is entered, follows the kernel of notebook `name`: ended stages to the log, the last begun one shown.

    Afterwards `failed_in` names the stage in which the notebook stopped, if it did in one.
    """

    def __init__(self, run: Run, name: str) -> None:
        self.failed_in: str | None = None
        self._run, self._name, self._start = run, name, time.monotonic()
        self._file = run.folder / f".{name}.{os.getpid()}.progress"
        self._stages: dict[int, Stage] = {}
        self._shown = ""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="progress", daemon=True)

    def __enter__(self) -> Self:
        """Make the file and name it to every kernel that starts now."""
        # This process holds the notebook's lock: the runner of such a file was killed.
        for abandoned in self._file.parent.glob(f".{self._name}.*.progress"):
            abandoned.unlink(missing_ok=True)
        with suppress(OSError):
            self._file.touch()
        os.environ[progress.VARIABLE] = str(self._file)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Read what the kernel said last, and leave neither file nor line."""
        try:
            self._over.set()
            self._thread.join()
        finally:
            os.environ.pop(progress.VARIABLE, None)
            self._file.unlink(missing_ok=True)
            if _is_terminal() and _in_foreground():
                _write(BEGINNING + ERASE)
        if self.failed_in is None and self._stages:  # killed: it could not say
            self.failed_in = self._innermost().name

    def _follow(self) -> None:
        # Whatever happens to file, log or terminal, the notebook goes on.
        with suppress(OSError), self._file.open("rb") as reports:
            rest, over = b"", False
            while not over:
                over = self._over.wait(POLL)
                *lines, rest = (rest + reports.read()).split(b"\n")
                for line in lines:
                    with suppress(OSError, ValueError):  # a full disk cuts lines
                        self._hear(json.loads(line))
                self._show(time.monotonic())

    def _hear(self, report: dict[str, Any]) -> None:
        event, number, name = report["event"], report["number"], report["stage"]
        if event != progress.STARTED and number not in self._stages:
            return  # a thread that did not notice the end
        self._stages[number] = Stage(name, report["share"], report["seconds"], time.monotonic())
        # Those around a failed stage fail with it; anything else means that the exception was caught.
        self.failed_in = (self.failed_in or name) if event == progress.FAILED else None
        if event in (progress.ENDED, progress.FAILED):
            del self._stages[number]
        if event == progress.ENDED:
            seconds, peak_mib = round(report["seconds"], 1), report["peak_mib"]
            self._run.log("stage", notebook=self._name, stage=name, seconds=seconds, peak_mib=peak_mib)

    def _innermost(self) -> Stage:
        return self._stages[max(self._stages)]

    def _show(self, now: float) -> None:
        if not (_is_terminal() and _in_foreground() and self._is_my_turn()):
            self._shown = ""
            return
        stage = self._innermost() if self._stages else Stage("", None, 0.0, self._start)
        text = sentence(self._name, stage.name, stage.status(now), width=_width())
        if text != self._shown:
            _write(BEGINNING + text + ERASE)
            self._shown = text

    def _is_my_turn(self) -> bool:
        runners = sorted(self._file.parent.glob(".*.progress"))
        return self._file in runners and int(time.time() / TURN) % len(runners) == runners.index(self._file)


def sentence(notebook: str, stage: str, status: str, *, width: int) -> str:
    """Return the line for a terminal of `width` columns; where it is too narrow, the stage's name is cut first."""
    room = width - 1 - len(f"{notebook}    {status}")  # in its last column a terminal may begin the next line
    cut = stage if len(stage) <= room else stage[: max(room - 1, 0)] + "…"
    return "  ".join(filter(None, (notebook, cut, status)))[: max(width - 1, 0)]


def clock(seconds: float) -> str:
    """Return a length of time as 0:12 or 1:02:03."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def say(text: str) -> None:
    """Print a line to stderr that stays; on a terminal in place of what another runner shows there.

    What a log or a name brings along that is no letter, a line end for example, is written out.
    """
    line = "".join(letter if letter.isprintable() or letter == "\u00a0" else repr(letter)[1:-1] for letter in text)
    _write((BEGINNING + ERASE if _is_terminal() else "") + line + "\n")


def _write(text: str) -> None:
    # In one piece: the terminal may be shared.
    with suppress(OSError):  # it was closed
        print(text, end="", file=sys.stderr, flush=True)


def _is_terminal() -> bool:
    return sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def _in_foreground() -> bool:
    # After `make report &` the line belongs to what is being typed.
    with suppress(OSError):
        return os.tcgetpgrp(sys.stderr.fileno()) == os.getpgrp()
    return True


def _width() -> int:
    with suppress(OSError):
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    return 80
