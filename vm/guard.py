"""How much memory the process may take before programs are told that there is no more.

A program can hold more than the machine has, in steps that are each within their limits.  Then the operating system
ends the process, or an allocation fails in the middle of the host's own work.  So the scheduler asks at safepoints, at
most once a tick, how much the process takes, and above a share of what there is the running thread gets a LimitError.

Only Linux tells it cheaply; elsewhere nothing is watched.
"""

from __future__ import annotations

import gc
import os
import resource
from pathlib import Path
from time import monotonic

from holdfast.vm.limits import count
from holdfast.vm.objects import fail

RESIDENT_SHARE = 0.75
"""Of the memory of the machine, or of the container that the process runs in."""

MAPPED_SHARE = 0.875
"""Of the address space that the process may map (``ulimit -v``)."""

COLLECT_SHARE = 0.2
COLLECT_CREDIT_S = 5.0
"""Collections may take these seconds, and this share of the time: around the limit nearly all are in vain."""

STATM = Path("/proc/self/statm")
PAGE = resource.getpagesize()
MEGA = 1 << 20


def resident_limit() -> int:
    """Bytes that the process may take: what the machine and the control groups around the process have."""
    found = [os.sysconf("SC_PHYS_PAGES") * PAGE]
    try:
        own = Path("/proc/self/cgroup").read_text().rpartition("::")[2].strip()
    except OSError:
        own = "/"
    group = Path("/sys/fs/cgroup") / own.lstrip("/")
    for folder in (group, *group.parents):
        try:
            text = (folder / "memory.max").read_text().strip()
        except OSError:
            continue
        if text.isdigit():
            found.append(int(text))
    return int(min(found) * RESIDENT_SHARE)


def mapped_limit() -> int:
    """Bytes of address space that the process may map; 0 where there is no limit."""
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return 0 if soft == resource.RLIM_INFINITY else int(soft * MAPPED_SHARE)


class MemoryGuard:
    """Watches the memory of this process."""

    def __init__(self) -> None:
        self.resident_max = resident_limit()
        self.mapped_max = mapped_limit()
        self._began = monotonic()
        self._spent = 0.0
        """Seconds that collections took."""
        try:
            self._file: int | None = os.open(STATM, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._file = None

    def excess(self) -> tuple[int, int] | None:
        """What the process takes and what it may take, in bytes, if that is less."""
        if self._file is None:
            return None
        mapped, resident, *_ = os.pread(self._file, 128, 0).split()
        for taken, limit in ((int(resident) * PAGE, self.resident_max), (int(mapped) * PAGE, self.mapped_max)):
            if limit and taken > limit:
                return taken, limit
        return None

    def resident(self) -> int:
        """Bytes that the process takes; 0 where that is not told."""
        return int(os.pread(self._file, 128, 0).split()[1]) * PAGE if self._file is not None else 0

    def check(self) -> None:
        """Throw a LimitError when the process takes too much, though garbage was collected."""
        found = self.excess()
        now = monotonic()
        if found is not None and self._spent <= COLLECT_CREDIT_S + COLLECT_SHARE * (now - self._began):
            gc.collect()
            self._spent += monotonic() - now
            found = self.excess()
        if found is None:
            return
        taken, limit = found
        fail(
            "LimitError",
            f"the programs of this world take {count(taken // MEGA)} MB of memory, over the limit of "
            f"{count(limit // MEGA)} MB: keep less in variables; what is under root can make way",
        )

    def close(self) -> None:
        """Watch no more."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
