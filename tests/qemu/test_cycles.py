"""A board on a port whose counter counts clock cycles: what its operations took is said in cycles."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from edgelearn.boards import load
from edgelearn.build import build_image
from edgelearn.device import attach
from edgelearn.link import Link
from edgelearn.share import firmware_dir
from tests.support.linear import LinearModel

TICKS = "uint64_t el_hal_ticks(void)\n{\n    return 0;\n}\n"
COUNTING = "uint64_t el_hal_ticks(void)\n{\n    static uint64_t now;\n    return now += 1000;\n}\n"
HZ = "uint32_t el_hal_counter_hz(void)\n{\n    return 0;\n}\n"


@pytest.fixture(params=[0, 168_000_000])
def port(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, int]]:
    """The native process with a clock of its own, on a socket."""
    text = (firmware_dir() / "hal" / "host" / "process.c").read_text()
    assert TICKS in text
    assert HZ in text
    hal = tmp_path / "process.c"
    hal.write_text(text.replace(TICKS, COUNTING).replace(HZ, HZ.replace("return 0", f"return {request.param}")))
    host = load("host")
    board = replace(host, hal=replace(host.hal, common=(os.path.relpath(hal, firmware_dir() / "hal"),)))
    elf = build_image(LinearModel().sources(), board, tmp_path, carrier="uart", kernel_sources=[]).elf
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                subprocess.run([elf], stdin=connection, stdout=connection, timeout=60, check=False)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"socket://127.0.0.1:{server.getsockname()[1]}", request.param
        thread.join()


def test_a_counter_of_cycles_is_believed(port: tuple[str, int]) -> None:
    url, hz = port
    with attach(url) as device:
        link = Link(device)
        assert link.hello().counter_hz == hz
        took = [link.train(*sample).spent for sample in LinearModel().samples(3)]
    assert took == [1000 if hz else 0] * 3  # between two looks


def test_a_board_on_a_port_keeps_what_it_learned(port: tuple[str, int]) -> None:
    """It is left as it is, to whoever comes next; the native process ends when nobody is there any more."""
    url, _ = port
    device = attach(url)
    link = Link(device)
    link.hello()
    link.train(*LinearModel().samples(1)[0])
    sent = []
    device.write = sent.append  # type: ignore[method-assign]
    link.close()
    assert sent == []
