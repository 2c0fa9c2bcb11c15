"""What the operating system says of a process."""

from __future__ import annotations

import os
from pathlib import Path

from elephant_worker.system.process_usage import reading


def test_this_process(tmp_path: Path) -> None:
    before = reading(os.getpid())
    (tmp_path / "file").write_bytes(bytes(100_000))
    after = reading(os.getpid())
    assert before is not None
    assert after is not None
    used = after.since(before)
    assert used.bytes_written >= 100_000
    assert used.cpu_time >= 0


def test_a_process_that_is_gone() -> None:
    child = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(child, 0)
    assert reading(child) is None
