"""What the kernel knows of a server's connections. Linux only: it reads /proc."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

ESTABLISHED = "01"


def unsent(server_port: int, client_ports: Iterable[int]) -> dict[int, int]:
    """Those of the clients whose connection the server has not let go of, and how many bytes wait
    in the server's kernel for each."""
    wanted, found = set(client_ports), {}
    for line in Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]:
        _, local, remote, state, queues, *_ = line.split()
        port = int(remote.rpartition(":")[2], 16)
        ours = int(local.rpartition(":")[2], 16) == server_port
        if ours and state == ESTABLISHED and port in wanted:
            found[port] = int(queues.partition(":")[0], 16)
    return found
