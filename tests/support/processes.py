"""The state, memory and CPU time of a process, from Linux's /proc."""

import os
import re
from pathlib import Path

MEBIBYTE = 1024 * 1024


def is_alive(pid):
    """Whether a process of that number exists and has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def resident_bytes(process, kind="VmRSS"):
    """The memory that a process holds now, or with VmHWM its peak."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(rf"{kind}:\s+(\d+) kB", status)[1]) * 1024


def forget_peak(process):
    """Start the peak of `resident_bytes` again at what the process holds now."""
    Path(f"/proc/{process.pid}/clear_refs").write_text("5")


def processor_seconds(process):
    """CPU time in user and kernel mode since the process began."""
    user, system = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
