"""Hosts that a test makes out of Linux namespaces, on a network of their own.

Each has its own address, processes and name, as a machine or a container does; files are the test's,
so a folder of it is what a network share would be. A namespace lives as long as a process in it.
Here that is one that reads a pipe from the test: however the test ends, kill -9 included, the pipe
closes, and the kernel ends every process of the host and takes its network away.

Needs no root: everything happens in a user namespace.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

NETWORK = "10.77.0"  # nobody else is on it


class NoNamespaces(Exception):
    """This machine gives out no namespaces; the text says which step it refused."""


@dataclass(frozen=True, slots=True)
class Host:
    name: str
    address: str
    pid: int  # its first process, as the test's own namespace counts
    log: Path  # what its programs say
    started: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def start(self, argv: Sequence[str], env: Mapping[str, str]) -> "subprocess.Popen[bytes]":
        """Run a program until the host ends."""
        with self.log.open("ab") as log:
            program = subprocess.Popen(
                self._inside(argv),
                env={**os.environ, **env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.started.append(program)
        return program

    def run(self, argv: Sequence[str], env: Mapping[str, str]) -> str:
        """Run a program to its end; return its output. Raises CalledProcessError."""
        return subprocess.run(
            self._inside(argv),
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        ).stdout

    def lines(self) -> list[str]:
        return self.log.read_text(errors="replace").splitlines() if self.log.exists() else []

    def _inside(self, argv: Sequence[str]) -> list[str]:
        namespaces = ("--net", "--pid", "--mount", "--uts")
        # A mount namespace is entered at its root.
        return [
            *_enter(self.pid, *namespaces),
            "sh",
            "-c",
            'cd "$0"; exec "$@"',
            os.getcwd(),
            *argv,
        ]


@dataclass
class Network:
    """A bridge, and the hosts plugged into it."""

    folder: Path  # for the hosts' logs
    switch: "subprocess.Popen[bytes]"
    holders: list["subprocess.Popen[bytes]"] = field(default_factory=list)  # of a host each
    hosts: list[Host] = field(default_factory=list)

    def add(self, name: str) -> Host:
        """Plug in a host without programs. Raises NoNamespaces."""
        address = f"{NETWORK}.{len(self.hosts) + 1}"
        share = ("--net", "--pid", "--fork", "--uts", "--mount-proc", "--kill-child")
        prepare = f"hostname {name} && ip link set lo up"
        holder = _hold([*_enter(self.switch.pid), "unshare", *share], prepare)
        self.holders.append(holder)
        (first,) = psutil.Process(holder.pid).children()
        cable = ("type", "veth", "peer", "name", "eth0", "netns", str(first.pid))
        self._ip("link", "add", "name", name, *cable)
        self._ip("link", "set", "dev", name, "master", "switch", "up")
        host = Host(name, address, first.pid, self.folder / f"{name}.log")
        self.hosts.append(host)
        host.run(["ip", "addr", "add", f"{address}/24", "dev", "eth0"], {})
        host.run(["ip", "link", "set", "eth0", "up"], {})
        return host

    @contextmanager
    def cut_off(self, host: Host) -> Iterator[None]:
        """Let nothing reach the host and nothing leave it; what runs there goes on."""
        self._ip("link", "set", "dev", host.name, "down")
        try:
            yield
        finally:
            self._ip("link", "set", "dev", host.name, "up")

    def end(self) -> None:
        """End every process of every host, and the network with them."""
        holders = [*self.holders, self.switch]
        for holder in holders:  # all at once: the kernel takes seconds for one
            _let_go(holder)
        for ending in (*holders, *(program for host in self.hosts for program in host.started)):
            ending.wait(60)

    def _ip(self, *arguments: str) -> None:
        command = [*_enter(self.switch.pid, "--net"), "ip", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise NoNamespaces(f"ip {' '.join(arguments)}: {done.stderr.strip()}")


@contextmanager
def running_network(folder: Path) -> Iterator[Network]:
    """Yield a network without hosts; end all that runs on it. Raises NoNamespaces."""
    for program in ("unshare", "nsenter", "ip"):
        if shutil.which(program) is None:
            raise NoNamespaces(f"{program} is not on this machine")
    prepare = "ip link add switch type bridge && ip link set switch up"
    network = Network(folder, _hold(["unshare", "--user", "--map-root-user", "--net"], prepare))
    try:
        yield network
    finally:
        network.end()


def as_nobody_special(argv: Sequence[str]) -> list[str]:
    """Return a command that sees itself as a plain user: a namespace's owner is root to its programs."""
    return ["unshare", "--user", "--map-user=1000", "--map-group=1000", *argv]


def _enter(pid: int, *namespaces: str) -> list[str]:
    return ["nsenter", "--target", str(pid), "--user", "--preserve-credentials", *namespaces]


def _hold(namespaces: Sequence[str], prepare: str) -> "subprocess.Popen[bytes]":
    """Start the process that keeps namespaces alive until its input ends. Raises NoNamespaces."""
    holder = subprocess.Popen(
        [*namespaces, "sh", "-c", f"{prepare} && echo ready && exec cat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert holder.stdout is not None
    assert holder.stderr is not None
    if holder.stdout.readline() != b"ready\n":
        refusal = holder.stderr.read().decode(errors="replace").strip()
        _let_go(holder)
        holder.wait(60)
        raise NoNamespaces(refusal)
    return holder


def _let_go(holder: "subprocess.Popen[bytes]") -> None:
    for pipe in (holder.stdin, holder.stdout, holder.stderr):
        assert pipe is not None
        pipe.close()
