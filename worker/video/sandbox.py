"""What the kernel no longer does for a process that reads a file which nobody vouches for.

Landlock takes away the file system (opening, running, changing anything in it), TCP, and signals
to others; a system call filter takes away new sockets, new processes (which would have limits of
their own, and outlive the one that is ended), io_uring, and changes of rights and owners.
What is open already stays usable. Numbers and layouts: linux/landlock.h, linux/seccomp.h, linux/filter.h, linux/audit.h.
"""

import ctypes
import os
import struct
from collections.abc import Sequence
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)

_PR_SET_NO_NEW_PRIVS = 38
_PR_GET_SECCOMP, _PR_SET_SECCOMP = 21, 22
_SECCOMP_MODE_FILTER = 2
_SET_FILTER, _FOR_ALL_THREADS = 1, 1  # of seccomp()

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_ASK_VERSION = 1
_BENEATH = 1  # a rule for all that lies below a folder
_WRITE_FILE, _READ_FILE, _READ_FOLDER = 1 << 1, 1 << 2, 1 << 3
_COMMAND_DEVICE = 1 << 15  # ioctl()
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}  # Landlock version: how many rights it knows
_NETWORK_SINCE, _NETWORK_RIGHTS = 4, 0b11  # bind and connect of TCP
_SCOPES_SINCE, _SCOPES = 6, 0b11  # abstract sockets and signals of other processes

_ARCHITECTURES = {
    "x86_64": (0xC000003E, 317, 56, (41, 57, 58, 90, 91, 92, 93, 94, 260, 268)),
    "aarch64": (0xC00000B7, 277, 220, (198, 52, 53, 54, 55)),
}
"""By machine: AUDIT_ARCH, the numbers of seccomp() and clone(), of socket(), fork() and the kinds of chmod() and chown()."""
_EVERYWHERE = (425, 452)  # io_uring_setup(), fchmodat2()
_CLONE3 = 435  # says in memory what it makes: who lacks it, uses clone()
_NEW_THREAD, _FLAGS = 0x10000, 16  # of clone(): CLONE_THREAD, where its first argument stands
_X32 = 0x40000000  # system calls of another ABI begin here
_LOAD, _EQUAL, _AT_LEAST, _HAS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _REFUSE, _LACK = 0x7FFF0000, 0x00050000 | 13, 0x00050000 | 38  # EACCES, ENOSYS


def enter(readable: Sequence[Path] = (), devices: Sequence[Path] = ()) -> None:
    """Give up what this thread, and every thread it starts, will not need; for good.

    Threads that run already keep their right to open files: Landlock has no way to take it.

    Files below the folders `readable` can still be opened for reading, and `devices` be opened and
    commanded. A kernel that lacks a lock goes without it: `missing()` says which.
    """
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _forbid_files(readable, devices)
    _forbid_calls()


def missing() -> list[str]:
    """Return what this machine's kernel can't lock, as sentences for the log."""
    version, notes = _landlock_version(), []
    if version < 1:
        notes.append("no Landlock: decoders are not kept from opening other files")
    elif version < _NETWORK_SINCE:
        notes.append(f"Landlock {version}: the network is locked by the system call filter alone")
    elif version < _SCOPES_SINCE:
        notes.append(f"Landlock {version}: decoders are not kept from sending signals")
    if os.uname().machine not in _ARCHITECTURES or _LIBC.prctl(_PR_GET_SECCOMP, 0, 0, 0, 0) < 0:
        notes.append("no system call filter: decoders may open sockets and start processes")
    return notes


def _forbid_files(readable: Sequence[Path], devices: Sequence[Path]) -> None:
    version = _landlock_version()
    if version < 1:
        return
    count = max(rights for since, rights in _FILE_RIGHTS.items() if since <= version)
    network = _NETWORK_RIGHTS if version >= _NETWORK_SINCE else 0
    scopes = _SCOPES if version >= _SCOPES_SINCE else 0
    wanted = struct.pack("=QQQ", (1 << count) - 1, network, scopes)
    ruleset = _LIBC.syscall(
        _CREATE_RULESET, wanted, len(wanted) if scopes else 16 if network else 8, 0
    )
    if ruleset >= 0:
        for folder in readable:
            _allow(ruleset, folder, _READ_FILE | _READ_FOLDER)
        known = (1 << count) - 1
        for device in devices:
            _allow(ruleset, device, (_READ_FILE | _WRITE_FILE | _COMMAND_DEVICE) & known)
        _LIBC.syscall(_RESTRICT_SELF, ruleset, 0)
        os.close(ruleset)


def _allow(ruleset: int, beneath: Path, rights: int) -> None:
    descriptor = os.open(beneath, os.O_PATH | os.O_CLOEXEC)
    rule = struct.pack("=Qi", rights, descriptor)
    _LIBC.syscall(_ADD_RULE, ruleset, _BENEATH, rule, 0)
    os.close(descriptor)


def _landlock_version() -> int:
    return int(_LIBC.syscall(_CREATE_RULESET, None, 0, _ASK_VERSION))


def _forbid_calls() -> None:
    architecture = _ARCHITECTURES.get(os.uname().machine)
    if architecture is None:
        return
    audit, seccomp, clone, own = architecture
    refused = (*own, *_EVERYWHERE)
    steps = [
        (_LOAD, 0, 0, 4),  # the architecture of this call
        (_EQUAL, 1, 0, audit),
        (_RETURN, 0, 0, _REFUSE),
        (_LOAD, 0, 0, 0),  # its number
        (_AT_LEAST, len(refused) + 5, 0, _X32),
        *((_EQUAL, len(refused) + 4 - place, 0, call) for place, call in enumerate(refused)),
        (_EQUAL, 5, 0, _CLONE3),
        (_EQUAL, 0, 2, clone),
        (_LOAD, 0, 0, _FLAGS),
        (_HAS, 0, 1, _NEW_THREAD),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
        (_RETURN, 0, 0, _LACK),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    program = struct.pack("@HP", len(steps), ctypes.addressof(code))
    if _LIBC.syscall(seccomp, _SET_FILTER, _FOR_ALL_THREADS, program) != 0:
        _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, program)


def _prctl(what: int, first: int, second: bytes | None = None) -> None:
    _LIBC.prctl(what, ctypes.c_ulong(first), second, ctypes.c_ulong(0), ctypes.c_ulong(0))
