"""The classes of datetime and zoneinfo, imported without what takes a new session longer than all of this package.

What these modules are for others in the same process stays as it is.
"""

from __future__ import annotations

import os
import sys

from .version import TZPATH

__all__ = ["ZoneInfo", "ZoneInfoNotFoundError", "date", "datetime", "time", "timedelta", "timezone", "tzinfo"]

# Before Python 3.12 datetime.py writes all its classes in Python, and then takes those of this module in C.
_in_c = sys.version_info < (3, 12) and "datetime" not in sys.modules
if _in_c:
    try:
        import _datetime  # type: ignore[import-not-found] # of CPython
    except ImportError:
        _in_c = False
    else:
        sys.modules["datetime"] = _datetime
# zoneinfo asks sysconfig for its directories, which reads all that Python was built with; it finds the same here.
_has_directories = TZPATH is not None and "PYTHONTZPATH" not in os.environ
if _has_directories:
    os.environ["PYTHONTZPATH"] = str(TZPATH)
try:
    from datetime import date, datetime, time, timedelta, timezone, tzinfo
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError
finally:
    if _in_c:
        del sys.modules["datetime"]
    if _has_directories:
        del os.environ["PYTHONTZPATH"]
