"""Hints reach the broker, also one that was restarted since the last one."""

import subprocess
import time
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from models import hints
from models.jobs import Hints
from serve.broker import configuration, find_server, free_port
from tests.broker import wait_for_broker

THREE = Hints("a" * 16, "builtin", epoch=1, count=3)


def test_a_restarted_broker_gets_each_hint_once(tmp_path: Path) -> None:
    port = free_port()
    config = tmp_path / "broker.conf"
    config.write_text(configuration(port, "secret", tmp_path))
    app = hints.connect(f"redis://:secret@127.0.0.1:{port}/0")
    try:
        for expected in (3, 6):  # the queue is on disk
            server = subprocess.Popen([find_server(), str(config)], stdout=subprocess.DEVNULL)
            try:
                wait_for_broker(f"redis://:secret@127.0.0.1:{port}/0")
                hints.send_hints(app, THREE)
                assert hints.waiting_hints(app, "builtin") == expected
            finally:
                server.terminate()
                server.wait()
    finally:
        app.close()


def test_a_frozen_broker_is_given_up_soon(broker_url: str) -> None:
    app = hints.connect(broker_url)
    hints.send_hints(app, THREE)
    port = str(urlsplit(broker_url).port)
    (broker,) = (one for one in psutil.Process().children() if port in " ".join(one.cmdline()))
    broker.suspend()
    begun = time.monotonic()
    try:
        hints.send_hints(app, THREE)  # on the connection that was kept
        hints.send_hints(hints.connect(broker_url), THREE)  # on a new one
        with pytest.raises(hints.BROKER_AWAY):
            hints.waiting_hints(app, "builtin")
    finally:
        broker.resume()
    assert time.monotonic() - begun < 45
    app.close()


def test_a_broker_that_is_down_raises_nothing() -> None:
    app = hints.connect(f"redis://127.0.0.1:{free_port()}/0")
    hints.send_hints(app, THREE)
    app.close()
