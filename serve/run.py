"""Start everything on one machine, say where the page is, and end everything at the end."""

import http.client
import shutil
import socket
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from models.scratch import Scratch
from serve import running
from serve.broker import NoBroker, plan_broker
from serve.child import Program, run_to_end
from serve.listening import CannotListen, listen, page_url
from serve.programs import environment, plan_programs, reelnotes
from serve.sample import SAMPLE, welcome
from serve.supervisor import Supervisor
from serve.telling import telling
from settings import Settings


class CannotServe(RuntimeError):
    """Reelnotes can't start; the text says why and what to do."""


def serve(settings: Settings, errand: Program | None = None, log: TextIO = sys.stdout) -> int:
    """Run everything until a signal, or the errand's end, says so; return the exit status.

    The errand is run once the page answers; without one, a new installation comments the sample.
    Raises CannotServe.
    """
    settings = replace(settings, data_dir=settings.data_dir.absolute())
    try:
        with (
            running.hold(settings.data_dir) as lock,
            listen(settings.web_host, settings.web_port) as listener,
        ):
            settings, programs = _prepare(settings, listener)
            supervisor = Supervisor(programs, log, guard_fds=(lock,), write=telling(settings))
            errand = errand or welcome(settings)
            _open_when_it_answers(supervisor, settings, page_url(listener), errand)
            return supervisor.run()
    except (running.AlreadyServed, CannotListen, NoBroker) as error:
        raise CannotServe(str(error)) from error


def demo(settings: Settings) -> int:
    """Comment the sample clip with everything in a throwaway folder; its SRT goes to standard output."""
    with tempfile.TemporaryDirectory(prefix="reelnotes-demo-") as folder:
        scratch = replace(settings, data_dir=Path(folder), redis_url="", database_url="")
        argv = reelnotes("submit", str(SAMPLE), "--wait", "--srt", "-")
        errand = Program("demo", argv, once=True, ends_all=True, speaks=True)
        return serve(scratch, errand, log=sys.stderr)


def _prepare(settings: Settings, listener: socket.socket) -> tuple[Settings, list[Program]]:
    """Return the programs to run, with the store and the folders ready for them; and the broker's URL
    in the settings."""
    tmp_dir = settings.data_dir / "tmp"
    shutil.rmtree(tmp_dir, ignore_errors=True)  # half exports of a server that was killed
    tmp_dir.mkdir(mode=0o700)
    Scratch(settings.data_dir / "media" / "incoming").forget()
    programs = []
    if not settings.redis_url:
        broker = plan_broker(settings.data_dir / "broker", running.run_dir(settings.data_dir))
        settings = replace(settings, redis_url=broker.url)
        programs.append(broker.program)
    env = environment(settings, tmp_dir)
    if run_to_end(Program("migrate", reelnotes("migrate"), env)) != 0:
        raise CannotServe("The store could not be brought up to date: the reason stands above.")
    return settings, programs + plan_programs(settings, env, listener, tmp_dir)


def _open_when_it_answers(
    supervisor: Supervisor, settings: Settings, url: str, errand: Program | None
) -> None:
    def opened() -> None:
        running.announce(settings.data_dir, url)
        supervisor.settle()
        if not url.endswith(f":{settings.web_port}"):
            supervisor.say(f"Port {settings.web_port} is in use: took the next free one.")
        supervisor.say(f"Reelnotes is at {url} (Ctrl-C ends it)")
        if errand:
            supervisor.add(replace(errand, env={**errand.env, "SERVER_URL": url}))

    def wait() -> None:
        while not answers(url):
            time.sleep(0.1)
        supervisor.call(opened)

    threading.Thread(target=wait, daemon=True).start()


def answers(url: str) -> bool:
    """Tell whether our web server answers there within a second."""
    host, _, port = url.removeprefix("http://").rpartition(":")
    connection = http.client.HTTPConnection(host.strip("[]"), int(port), timeout=1)
    try:
        connection.request("GET", "/api/health")
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
