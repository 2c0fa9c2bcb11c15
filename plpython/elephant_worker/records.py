"""Data classes with slots: many of them are made for each run, and slots save memory and time."""

from __future__ import annotations

import dataclasses
import sys
from functools import partial
from typing import TYPE_CHECKING

__all__ = ["record"]

if TYPE_CHECKING:
    from dataclasses import dataclass as record
elif sys.version_info >= (3, 10):
    record = partial(dataclasses.dataclass, slots=True)
else:  # which cannot give slots to fields with defaults
    record = dataclasses.dataclass
