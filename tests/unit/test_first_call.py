"""What the first call of a session imports."""

from __future__ import annotations

import subprocess
import sys

import pytest

from harness.cluster import ROOT

# Each takes longer than the package itself, or imports modules that do.
HEAVY = {"typing", "re", "enum", "dataclasses", "functools", "contextlib", "collections", "croniter", "psycopg"}
CALLS = {
    "schedule.functions": "due_times('30 4 * * *', 'Europe/Berlin', 'cron', None, None, 1.8e9, None, 5, '')",
    "schedule.description": "schedule_in_words('30 4 * * *', 'Europe/Berlin', 'cron', 1.8e9, '')",
}


@pytest.mark.parametrize("module", CALLS)
def test_ordinary_schedules_need_few_modules(module: str) -> None:
    program = f"""
import sys
sys.path.append({str(ROOT / "plpython")!r})
import datetime, zoneinfo
before = set(sys.modules)
import elephant_worker
answer = elephant_worker.module({module!r}).{CALLS[module]}
assert answer["user_error"] is None, answer
print(*sorted(set(sys.modules) - before))
"""
    # Without site, which may import some of them for other packages that are installed.
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    imported = set(done.stdout.split())
    assert f"elephant_worker.{module}" in imported
    assert not imported & HEAVY
