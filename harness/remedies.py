"""Remedies of check_setup() and problem: what is done by whoever pastes them whole, and what is offered beside it."""

from __future__ import annotations

import re


def alternatives(remedy: str) -> dict[str, str]:
    """The statements that a remedy has in comments, by what they are for."""
    return dict(re.findall(r"^-- ([^:\n]*): (.*;)$", remedy, re.MULTILINE))
