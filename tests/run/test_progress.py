"""Stages: silent unless the runner listens, never in the way of a run, and readable on any terminal."""

import errno
import io
import json
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from clv import progress
from clv.run import terminal
from clv.run.folder import Run
from clv.run.terminal import Follower, Stage, clock, sentence

TOY = Run("toy")
NAME = "03_bgnbd_bayes"


@pytest.fixture
def pipe(tmp_path, monkeypatch) -> Path:
    """The file a runner has made for its kernel."""
    file = tmp_path / "pipe"
    file.touch()
    monkeypatch.setenv(progress.VARIABLE, str(file))
    return file


@pytest.fixture
def eager(monkeypatch) -> None:
    """Every advance is told, however soon after the last."""
    monkeypatch.setattr(progress, "INTERVAL", 0)


@pytest.fixture
def followed(outputs) -> Follower:
    """A follower of a run whose folder exists."""
    del outputs  # the folder is redirected
    TOY.folder.mkdir(parents=True)
    return Follower(TOY, NAME)


def told(pipe: Path) -> list[dict]:
    """Return the reports in the order they were made."""
    return [json.loads(line) for line in pipe.read_text().splitlines()]


def logged() -> list[dict]:
    """Return the events in the run's log."""
    log = TOY.folder / "log.jsonl"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


# -- what a stage tells ------------------------------------------------------------------------------------------------


def test_without_a_listener_nothing_is_printed_or_written(tmp_path, monkeypatch, capfd):
    monkeypatch.delenv(progress.VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    with progress.stage("simulating", of=2) as advance:
        advance()
        advance.to(2)
    assert capfd.readouterr() == ("", "")
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("eager")
def test_the_share_done_never_falls_and_ends_at_one(pipe):
    with progress.stage("simulating", of=4) as advance:
        advance()
        advance(2)
        advance.to(2)
        advance.to(9)
    assert [report["share"] for report in told(pipe)] == [0, 0.25, 0.75, 0.75, 1, 1]
    assert [report["event"] for report in told(pipe)] == ["started", *["advanced"] * 4, "ended"]


def test_a_stage_that_stops_short_without_an_error_is_done(pipe):
    with progress.stage("sampling", of=1000) as advance:
        advance()
    assert told(pipe)[-1]["share"] == 1


def test_work_of_unknown_size_has_a_start_and_an_end_only(pipe):
    with progress.stage("compiling") as advance:
        advance()
    assert [(report["event"], report["share"]) for report in told(pipe)] == [("started", None), ("ended", None)]


def test_the_end_says_how_long_it_took_and_how_much_memory_the_process_held_at_most(pipe):
    held = bytearray(50 * 2**20)
    with progress.stage("simulating"):
        held[:: 2**12] = b"x" * len(held[:: 2**12])
    end = told(pipe)[-1]
    assert 0 <= end["seconds"] < 10
    assert 50 < end["peak_mib"] < 10_000


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_stage_that_an_exception_leaves_has_failed(pipe, error):
    with pytest.raises(error), progress.stage("sampling", of=2) as advance:
        advance()
        raise error
    assert told(pipe)[-1]["event"] == "failed"


def test_ten_thousand_advances_from_four_threads_all_count_and_cost_a_few_lines(pipe):
    with progress.stage("simulating", of=10_000) as advance, ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: advance(), range(10_000)))
    assert len(told(pipe)) < 20
    assert advance._done == 10_000


@pytest.mark.usefixtures("eager")
def test_reports_from_several_threads_are_whole_lines(pipe):
    with progress.stage("simulating", of=2000) as advance, ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: advance(), range(2000)))
    shares = [report["share"] for report in told(pipe)]
    assert len(shares) == 2002
    assert shares == sorted(shares)


@pytest.mark.parametrize("gone", ["none/pipe", "folder", "none"])
def test_where_nothing_can_be_written_the_work_goes_on_and_no_file_appears(tmp_path, monkeypatch, gone):
    (tmp_path / "folder").mkdir()
    monkeypatch.setenv(progress.VARIABLE, str(tmp_path / gone))
    with progress.stage("simulating", of=1) as advance:
        advance()
    assert [path.name for path in tmp_path.rglob("*")] == ["folder"]


# -- what the runner makes of it ---------------------------------------------------------------------------------------


def test_ended_stages_stand_in_the_log_inner_ones_first_with_time_and_memory(followed):
    with followed, progress.stage("fitting"):
        with progress.stage("compiling"):
            pass
        with progress.stage("sampling", of=3) as advance:
            advance(3)
    assert [(line["event"], line["stage"]) for line in logged()] == [
        ("stage", "compiling"),
        ("stage", "sampling"),
        ("stage", "fitting"),
    ]
    assert set(logged()[0]) == {"time", "notebook", "event", "stage", "seconds", "peak_mib"}
    assert followed.failed_in is None


def test_a_notebook_failed_in_the_innermost_stage(followed):
    with followed, pytest.raises(ValueError), progress.stage("fitting"), progress.stage("sampling"):
        raise ValueError
    assert followed.failed_in == "sampling"
    assert logged() == []


def test_a_failure_that_the_notebook_survived_is_forgotten(followed):
    with followed, progress.stage("fitting"):
        with pytest.raises(ValueError), progress.stage("by approximation"):
            raise ValueError
        with progress.stage("by sampling"):
            pass
    assert followed.failed_in is None


def test_a_kernel_that_was_killed_failed_in_the_stage_it_never_ended(followed):
    with followed:
        progress.stage("sampling").__enter__()
    assert followed.failed_in == "sampling"


def test_files_are_gone_afterwards_also_those_of_a_runner_that_was_killed(followed):
    abandoned = TOY.folder / f".{NAME}.1.progress"
    others = TOY.folder / ".04_gamma_gamma.1.progress"
    for file in (abandoned, others):
        file.touch()
    with pytest.raises(ValueError), followed:
        assert not abandoned.exists()
        raise ValueError
    assert list(TOY.folder.iterdir()) == [others]
    assert progress.VARIABLE not in os.environ


@pytest.mark.parametrize("line", ["", "{", '{"event": "star{"event": "started"}', "\0"])
def test_a_line_that_a_full_disk_cut_does_no_harm(followed, line):
    with followed, Path(os.environ[progress.VARIABLE]).open("a") as pipe:
        print(line, file=pipe, flush=True)
        with progress.stage("sampling"):
            pass
    assert [event["stage"] for event in logged()] == ["sampling"]


def test_a_run_whose_folder_vanishes_is_followed_no_longer_and_raises_nothing(followed):
    with followed:
        os.unlink(os.environ[progress.VARIABLE])
        TOY.folder.rmdir()
    assert not any(thread.name == "progress" for thread in threading.enumerate())


def test_two_runners_have_the_line_in_turns_and_one_alone_always(followed, monkeypatch):
    followed._file.touch()
    (TOY.folder / ".04_gamma_gamma.1.progress").touch()
    other = Follower(TOY, "04_gamma_gamma")
    other._file = TOY.folder / ".04_gamma_gamma.1.progress"
    for second in range(8):
        monkeypatch.setattr(terminal.time, "time", lambda second=second: second)
        assert followed._is_my_turn() == (second % 4 < 2)
        assert other._is_my_turn() == (second % 4 >= 2)
    other._file.unlink()
    for second in range(4):
        monkeypatch.setattr(terminal.time, "time", lambda second=second: second)
        assert followed._is_my_turn()


@pytest.mark.parametrize(
    ("stage", "now", "status"),
    [
        (Stage("sampling", share=0.25, seconds=10, heard=100), 100, "25 %  0:30 left"),
        (Stage("sampling", share=0.25, seconds=10, heard=100), 112, "25 %  0:18 left"),
        (Stage("sampling", share=0.25, seconds=10, heard=100), 140, "25 %"),  # more than the estimate: it was wrong
        (Stage("sampling", share=0.25, seconds=1.9, heard=100), 100, "25 %"),
        (Stage("sampling", share=0.009, seconds=60, heard=100), 100, "0 %"),
        (Stage("sampling", share=0.999, seconds=3600, heard=100), 100, "99 %  0:03 left"),
        (Stage("compiling", share=None, seconds=0, heard=100), 175, "1:15"),
    ],
)
def test_the_time_left_is_counted_down_from_a_share_worth_trusting(stage, now, status):
    assert stage.status(now) == status


def test_a_length_of_time_has_hours_only_when_there_are_some():
    assert [clock(seconds) for seconds in (0, 59.9, 61, 3723)] == ["0:00", "0:59", "1:01", "1:02:03"]


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (80, "03_bgnbd_bayes  sampling purchases, all data  43 %  0:12 left"),
        (62, "03_bgnbd_bayes  sampling purchases, all data  43 %  0:12 left"),
        (61, "03_bgnbd_bayes  sampling purchases, all da…  43 %  0:12 left"),
        (40, "03_bgnbd_bayes  sampl…  43 %  0:12 left"),
        (20, "03_bgnbd_bayes  …  "),
        (1, ""),
    ],
)
def test_the_line_never_reaches_the_last_column_and_keeps_share_and_time_longest(width, line):
    assert sentence("03_bgnbd_bayes", "sampling purchases, all data", "43 %  0:12 left", width=width) == line


def test_before_the_first_stage_the_line_shows_the_time_gone_by():
    assert sentence("02_rfm", "", "0:07", width=80) == "02_rfm  0:07"


def test_what_is_no_terminal_gets_plain_lines(capsys):
    terminal.say("02_rfm ... 3 s")
    assert capsys.readouterr().err == "02_rfm ... 3 s\n"


def test_a_terminal_that_was_closed_does_not_stop_a_run(monkeypatch):
    class Closed(io.StringIO):
        def flush(self) -> None:
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(sys, "stderr", Closed())
    terminal.say("02_rfm ... 3 s")
