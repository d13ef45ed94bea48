"""What this process uses of the machine."""

from __future__ import annotations

import os
import resource
from pathlib import Path


def usage() -> tuple[float, float, float]:
    """Resident memory in bytes, processor time in s, bytes written to storage; 0 where the system does not tell."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return (
        _field("/proc/self/status", "VmRSS:", 1024),
        used.ru_utime + used.ru_stime,
        _field("/proc/self/io", "write_bytes:", 1),
    )


def _field(path: str, name: str, scale: int) -> float:
    try:
        for line in Path(path).read_text().splitlines():
            if line.startswith(name):
                return float(line.split()[1]) * scale
    except OSError:
        pass
    return 0.0


def age_s() -> float:
    """Seconds of the world since this process started; 0 where the system does not tell."""
    try:
        fields = Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()
        uptime = float(Path("/proc/uptime").read_text().split()[0])
        return uptime - float(fields[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError, ValueError):
        return 0.0
