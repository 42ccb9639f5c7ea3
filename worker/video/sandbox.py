"""What the kernel no longer does for a process that reads a file which nobody vouches for.

Landlock takes away the file system (opening, running, changing anything in it), TCP, and signals
to others; a system call filter takes away new sockets, io_uring, and changes of rights and owners.
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

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_ASK_VERSION = 1
_BENEATH = 1  # a rule for all that lies below a folder
_READ_FILE, _READ_FOLDER = 1 << 2, 1 << 3
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}  # Landlock version: how many rights it knows
_NETWORK_SINCE, _NETWORK_RIGHTS = 4, 0b11  # bind and connect of TCP
_SCOPES_SINCE, _SCOPES = 6, 0b11  # abstract sockets and signals of other processes

_ARCHITECTURES = {
    "x86_64": (0xC000003E, (41, 90, 91, 92, 93, 94, 260, 268)),
    "aarch64": (0xC00000B7, (198, 52, 53, 54, 55)),
}
"""By machine: AUDIT_ARCH, and the numbers of socket() and the kinds of chmod() and chown()."""
_EVERYWHERE = (425, 452)  # io_uring_setup(), fchmodat2()
_X32 = 0x40000000  # system calls of another ABI begin here
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | 13  # EACCES


def enter(readable: Sequence[Path] = ()) -> None:
    """Give up what this thread, and every thread it starts, will not need; for good.

    Files below the folders `readable` can still be opened for reading. A kernel that lacks a lock goes without it: `missing()` says which.
    """
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _forbid_files(readable)
    _forbid_sockets()


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
        notes.append("no system call filter: decoders may open sockets")
    return notes


def _forbid_files(readable: Sequence[Path]) -> None:
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
            _allow_reading(ruleset, folder)
        _LIBC.syscall(_RESTRICT_SELF, ruleset, 0)
        os.close(ruleset)


def _allow_reading(ruleset: int, folder: Path) -> None:
    descriptor = os.open(folder, os.O_PATH | os.O_CLOEXEC)
    rule = struct.pack("=Qi", _READ_FILE | _READ_FOLDER, descriptor)
    _LIBC.syscall(_ADD_RULE, ruleset, _BENEATH, rule, 0)
    os.close(descriptor)


def _landlock_version() -> int:
    return int(_LIBC.syscall(_CREATE_RULESET, None, 0, _ASK_VERSION))


def _forbid_sockets() -> None:
    architecture = _ARCHITECTURES.get(os.uname().machine)
    if architecture is None:
        return
    audit, own = architecture
    refused = (*own, *_EVERYWHERE)
    steps = [
        (_LOAD, 0, 0, 4),  # the architecture of this call
        (_EQUAL, 1, 0, audit),
        (_RETURN, 0, 0, _REFUSE),
        (_LOAD, 0, 0, 0),  # its number
        (_AT_LEAST, len(refused) + 1, 0, _X32),
        *((_EQUAL, len(refused) - place, 0, call) for place, call in enumerate(refused)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    program = struct.pack("@HP", len(steps), ctypes.addressof(code))
    _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, program)


def _prctl(what: int, first: int, second: bytes | None = None) -> None:
    _LIBC.prctl(what, ctypes.c_ulong(first), second, ctypes.c_ulong(0), ctypes.c_ulong(0))
