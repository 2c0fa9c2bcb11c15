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


def test_others_find_datetime_and_zoneinfo_as_they_are() -> None:
    program = f"""
import os, sys, sysconfig
sys.path.append({str(ROOT / "plpython")!r})
import elephant_worker.version
elephant_worker.version.TZPATH = sysconfig.get_config_var("TZPATH")
from elephant_worker import datetimes
assert "PYTHONTZPATH" not in os.environ
import datetime, zoneinfo
assert datetime.__name__ == "datetime" and datetime.__file__.endswith("datetime.py"), datetime
for module in (datetime, zoneinfo):
    for name in set(datetimes.__all__) & set(dir(module)):
        assert getattr(datetimes, name) is getattr(module, name), name
before = zoneinfo.TZPATH
zoneinfo.reset_tzpath()
assert before == zoneinfo.TZPATH, before
moment = datetime.datetime(2027, 7, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin"))
assert moment.utcoffset() == datetime.timedelta(hours=2), moment
assert datetime.datetime.strptime("2027-07-01 +0200", "%Y-%m-%d %z").astimezone(moment.tzinfo) == moment
"""
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_directories_that_the_environment_names_are_obeyed() -> None:
    program = f"""
import sys
sys.path.append({str(ROOT / "plpython")!r})
import elephant_worker.version
elephant_worker.version.TZPATH = "/elsewhere"
from elephant_worker import datetimes
import zoneinfo
assert zoneinfo.TZPATH == ("/nowhere",), zoneinfo.TZPATH
"""
    environment = {"PYTHONTZPATH": "/nowhere"}
    done = subprocess.run([sys.executable, "-S", "-c", program], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
