"""Tools end with whoever wanted them, with all that they have started; signals end a command with one word."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from edgelearn.build.process import Crew, run_tool
from edgelearn.cli.interrupts import INTERRUPTED, guarded
from tests.support.cli import environment

Capture = pytest.CaptureFixture[str]
MANNERS = {"polite": "", "stubborn": "trap '' TERM; "}


def _python(code: str, **options: object) -> list[str]:
    return [sys.executable, "-c", code.format(**options)]


def _wait_for(path: Path) -> None:
    deadline = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} never came"
        time.sleep(0.01)


def _running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_a_tool_is_run_to_its_end(tmp_path: Path) -> None:
    words = "import os, sys; print(os.getcwd(), os.environ['WORD']); print('aside', file=sys.stderr); sys.exit(3)"
    done = run_tool(_python(words), folder=tmp_path, variables={"WORD": "here"})
    assert (done.returncode, done.stdout, done.stderr) == (3, f"{tmp_path} here\n", "aside\n")
    both = run_tool(_python(words), folder=tmp_path, variables={"WORD": "here", "PYTHONUNBUFFERED": "1"}, together=True)
    assert both.stdout == f"{tmp_path} here\naside\n"


def test_two_at_a_time_and_in_order() -> None:
    wait = "import time; time.sleep({seconds}); print({seconds})"
    start = time.monotonic()
    with Crew(2) as crew:
        said = crew.map(lambda s: crew.run(_python(wait, seconds=s)).stdout.strip(), [0.6, 0.5])
    assert said == ["0.6", "0.5"]
    assert time.monotonic() - start < 1.1


def test_a_tool_that_is_not_there_says_so() -> None:
    with pytest.raises(FileNotFoundError):
        run_tool(["/no/such/tool"])


@pytest.mark.parametrize("manners", MANNERS)
def test_an_interrupt_ends_tools_and_what_they_started(manners: str, tmp_path: Path) -> None:
    """A shell with a child of its own, both polite or both deaf, in each of two places; a third one never starts."""
    script = f"{MANNERS[manners]}sleep 30 & echo $! > new.$NAME; mv new.$NAME $NAME; wait; touch ended"
    children: list[int] = []

    def start(name: str) -> None:
        crew.run(["sh", "-c", script], folder=tmp_path, variables={"NAME": name})

    def interrupt() -> None:
        for name in ("one", "two"):
            _wait_for(tmp_path / name)
            children.append(int((tmp_path / name).read_text()))
        assert all(map(_running, children))
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt), Crew(2) as crew:
        crew.map(start, ["one", "two", "three"])
    deadline = time.monotonic() + 2  # what was killed takes a moment to be gone
    while any(map(_running, children)):
        assert time.monotonic() < deadline
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]


def test_a_failure_ends_the_others(tmp_path: Path) -> None:
    def work(seconds: float) -> None:
        if crew.run(["sleep", str(seconds)]).returncode == 0:
            raise ValueError("the short one")

    start = time.monotonic()
    with pytest.raises(ValueError, match="short"), Crew(2) as crew:
        crew.map(work, [0.1, 30])
    assert time.monotonic() - start < 5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_becomes_one_word(number: signal.Signals, capsys: Capture) -> None:
    def work() -> int:
        signal.raise_signal(number)
        return 0

    before = signal.getsignal(number)
    assert guarded(work) == INTERRUPTED
    assert capsys.readouterr().err == "interrupted\n"
    assert signal.getsignal(number) is before


def test_what_nohup_ignores_stays_ignored(capsys: Capture) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert guarded(lambda: signal.raise_signal(signal.SIGHUP) or 7) == 7
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_an_interrupt_that_python_drops_comes_again(capsys: Capture) -> None:
    """An exception in a destructor goes nowhere; this one would be the user's Ctrl-C."""

    class Loud:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    def work() -> int:
        thing = Loud()
        del thing
        time.sleep(20)
        return 0

    start = time.monotonic()
    assert guarded(work) == INTERRUPTED
    assert time.monotonic() - start < 5
    assert capsys.readouterr().err == "interrupted\n"


def test_an_interrupt_that_comes_too_late_to_break_anything_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """The last thing that the work does is an import: nothing comes once more when all is over."""
    (tmp_path / "last_import.py").write_text("import signal\nsignal.raise_signal(signal.SIGINT)\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert guarded(lambda: len(importlib.import_module("last_import").__name__)) == 11
    time.sleep(0.05)
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
    assert signal.getsignal(signal.SIGALRM) is signal.SIG_DFL
    assert capsys.readouterr().err == ""


def test_an_alarm_of_somebody_else_is_left_alone() -> None:
    before = signal.signal(signal.SIGALRM, lambda number, frame: None)
    signal.setitimer(signal.ITIMER_REAL, 30)
    try:
        with pytest.raises(BrokenPipeError):
            guarded(_broken_pipe)
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 20
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _broken_pipe() -> int:
    raise BrokenPipeError


LATE = """
import atexit, os, signal, sys
from edgelearn.cli.interrupts import guarded
atexit.register(lambda: (os.kill(os.getpid(), signal.SIGINT), print("left in order")))
sys.exit(guarded(lambda: {work}, last=True))
"""


@pytest.mark.parametrize(("work", "code", "err"), [("4", 4, ""), ("signal.raise_signal(2)", 130, "interrupted\n")])
def test_the_end_of_a_process_is_not_broken_off(work: str, code: int, err: str) -> None:
    done = subprocess.run(_python(LATE, work=work), env=environment(), capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (code, "left in order\n", err)


def test_an_import_is_not_broken_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    """protobuf's extension crashes if it is, a few hundredths of a second in the first half of one."""
    text = "import signal, time\nsignal.raise_signal(signal.SIGINT)\ntime.sleep(0.05)\nwhole = True\n"
    (tmp_path / "slow_to_import.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    seen = []

    def work() -> int:
        seen.append(importlib.import_module("slow_to_import").whole)
        time.sleep(20)
        return 0

    start = time.monotonic()
    assert guarded(work) == INTERRUPTED
    assert seen == [True]
    assert time.monotonic() - start < 5
    assert capsys.readouterr().err == "interrupted\n"


def test_an_interrupt_while_the_program_is_imported(tmp_path: Path) -> None:
    """Most of the first tenth of a second goes there."""
    (tmp_path / "click.py").write_text("import signal; signal.raise_signal(signal.SIGINT)")
    path = os.pathsep.join([str(tmp_path), environment()["PYTHONPATH"]])
    command = [sys.executable, "-m", "edgelearn", "--version"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment(PYTHONPATH=path), capture_output=True, text=True, timeout=30
    )
    assert (done.returncode, done.stdout, done.stderr) == (INTERRUPTED, "", "interrupted\n")
