"""What the process no longer uses goes back to the system; measured in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

FREED = """
import asyncio, contextlib
from pathlib import Path
from gateway.runtime.memory import FIRST_S, give_back, keep_little
from tests.fakes import FakeClock

def resident_mb():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6

async def main():
    keep_little()
    clock = FakeClock()
    task = asyncio.create_task(give_back(clock))
    blocks = [bytearray(2000) for _ in range(20_000)]
    full = resident_mb()
    del blocks[:-1]
    freed = resident_mb()
    await clock.advance(FIRST_S)
    await asyncio.sleep(0.05)
    print(full - freed, freed - resident_mb())
    task.cancel()

asyncio.run(main())
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="glibc alone can be asked")
def test_what_was_freed_below_a_block_still_used_goes_back_too() -> None:
    # given 40 MB of small blocks of which the last one stays: the top of the heap cannot shrink by itself
    done = subprocess.run([sys.executable, "-c", FREED], capture_output=True, text=True, timeout=60, check=True)
    by_itself, given_back = (float(word) for word in done.stdout.split())
    # then what freeing alone did not give back was given back when the loop came to it
    assert by_itself < 5
    assert given_back > 30
