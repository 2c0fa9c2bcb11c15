"""What can be seen of the server without asking it."""

from __future__ import annotations

import ctypes
import os
import re
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress


def _pid() -> int:
    """The parent of every process of this server; where it is gone already, that of this one is another."""
    try:
        # The server's processes work in the data directory.
        with open("postmaster.pid", "rb") as file:
            number = int(file.readline())
    except (OSError, ValueError):
        number = 0
    return number if number > 0 else os.getppid()  # the single-user mode has a negative one


PID = _pid()


def is_alive() -> bool:
    """Whether the postmaster still runs: a process whose parent is gone gets another one."""
    return os.getppid() == PID


def program_directory() -> str | None:
    """The directory of the server's programs; None where the system does not tell."""
    try:
        return os.path.dirname(os.readlink(f"/proc/{PID}/exe"))
    except OSError:
        return None


def exit_if_dead() -> None:
    """End this process at once where its postmaster is gone, with no word to anybody and nothing committed.

    PostgreSQL's own sessions notice that when they wait for their client, and the worker never does. What it did
    alone could not be undone: it is no part of a server any more, and keeps another one from starting.
    """
    if not is_alive():
        os._exit(1)


def listening_addresses() -> list[tuple[str, int]]:
    """The addresses and ports at which the postmaster itself accepts TCP connections, as one of its own processes
    reaches them; those of the loopback interface first. Empty where there are none, or the system does not tell.

    The kernel is asked and no setting: a port of the loopback address that was taken when the server started is not
    the server's. While the postmaster lives nobody else on this machine can have one of these, since it keeps its
    sockets; for other machines there is leads_here().
    """
    own = _sockets()
    found = []
    for file, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        for line in _lines(f"/proc/self/net/{file}"):
            fields = line.split()
            if fields[3] == LISTEN and int(fields[9]) in own:
                found.append(_address(fields[1], family))
    return sorted(found, key=lambda address: (not _is_loopback(address[0]), ":" in address[0]))


def listening_paths() -> list[str]:
    """The sockets in the file system at which the postmaster accepts connections."""
    own = _sockets()
    found = []
    for line in _lines("/proc/self/net/unix"):
        fields = line.split(maxsplit=7)
        if len(fields) == 8 and fields[3] == ACCEPTS and int(fields[6]) in own and not fields[7].startswith("@"):
            # A relative one is relative to the data directory, where all processes of the server are.
            found.append(os.path.abspath(fields[7].rstrip("\n")))
    return found


def leads_here(connection: socket.socket) -> bool:
    """Whether the other end of a TCP connection is on this machine. The address at which a server listens may have
    moved to another one meanwhile, as virtual ones do, and then leads there."""
    (own, own_port), (other, other_port) = connection.getsockname()[:2], connection.getpeername()[:2]
    return _is_loopback(other) or own == other or has_socket((other, other_port), (own, own_port))


def has_socket(address: tuple[str, int], peer: tuple[str, int]) -> bool:
    """Whether this machine has the end of a TCP connection that has this address, and the other end that one."""
    wanted = f": {_in_hex(*address)} {_in_hex(*peer)} "
    return any(wanted in line for line in _lines(f"/proc/self/net/{'tcp6' if ':' in address[0] else 'tcp'}"))


def is_postmaster(connection: socket.socket) -> bool:
    """Whether the process that listens at the other end of a local socket is the postmaster (unix(7), SO_PEERCRED)."""
    pid, uid = _peer(connection)
    return pid in (PID, None) and uid == os.geteuid() and is_alive()


def is_owned_by(connection: socket.socket, uid: int) -> bool:
    """Whether a user of the operating system listens at the other end of a local socket."""
    return _peer(connection)[1] == uid


def _peer(connection: socket.socket) -> tuple[int | None, int]:
    """Process and user; outside of Linux the user only."""
    if not hasattr(socket, "SO_PEERCRED"):
        uid, gid = ctypes.c_uint(), ctypes.c_uint()
        if ctypes.CDLL(None, use_errno=True).getpeereid(connection.fileno(), ctypes.byref(uid), ctypes.byref(gid)):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return None, uid.value
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
    pid, owner, _ = CREDENTIALS.unpack(credentials)
    return pid, owner


# proc_net(5), tcp and unix: a state, and a flag.
LISTEN = "0A"
ACCEPTS = "00010000"
CREDENTIALS = struct.Struct("3i")
SOCKET = re.compile(r"socket:\[([0-9]+)\]")


def _sockets() -> set[int]:
    """The numbers of the postmaster's sockets, which its processes of the same user may see."""
    directory = f"/proc/{PID}/fd"
    found = set()
    with suppress(OSError):
        for name in os.listdir(directory):
            with suppress(OSError):
                match = SOCKET.fullmatch(os.readlink(f"{directory}/{name}"))
                if match is not None:
                    found.add(int(match[1]))
    return found if is_alive() else set()


def _lines(path: str) -> Iterator[str]:
    with suppress(OSError), open(path) as file:
        next(file)  # a heading
        yield from file


def _address(text: str, family: int) -> tuple[str, int]:
    """An address of /proc/net/tcp, of words in the order of the machine; for all addresses the one of the loopback
    interface.

    >>> _address("0100007F:1538", socket.AF_INET), _address("00000000:1538", socket.AF_INET)
    (('127.0.0.1', 5432), ('127.0.0.1', 5432))
    >>> _address("0" * 32 + ":1538", socket.AF_INET6)
    ('::1', 5432)
    """
    words, port = text.split(":")
    numbers = [int(words[start : start + 8], 16) for start in range(0, len(words), 8)]
    address = socket.inet_ntop(family, b"".join(struct.pack("=I", number) for number in numbers))
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address), int(port, 16)


def _in_hex(address: str, port: int) -> str:
    """An address as /proc/net/tcp has it.

    >>> _in_hex("127.0.0.1", 5432), _in_hex("::1", 5432)
    ('0100007F:1538', '00000000000000000000000001000000:1538')
    """
    packed = socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
    return f"{''.join(f'{word:08X}' for (word,) in struct.iter_unpack('=I', packed))}:{port:04X}"


def _is_loopback(address: str) -> bool:
    """
    >>> _is_loopback("127.0.0.2"), _is_loopback("::1"), _is_loopback("10.1.2.3")
    (True, True, False)
    """
    return address == "::1" or address.startswith("127.")


def is_stopping(data_directory: str) -> bool:
    """Whether the server waits for its clients to leave, which nothing else would tell one of them.

    The last line of postmaster.pid is the state of the postmaster (miscadmin.h, LOCK_FILE_LINE_PM_STATUS).
    """
    try:
        # Not read_text(): this is done all the time, and takes a third of the time so.
        file = os.open(os.path.join(data_directory, "postmaster.pid"), os.O_RDONLY)
    except OSError:
        return False
    try:
        lines = os.read(file, 8192).split(b"\n")
    finally:
        os.close(file)
    return len(lines) >= 8 and lines[7].strip() == b"stopping"
