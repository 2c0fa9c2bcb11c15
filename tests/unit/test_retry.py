"""When a run that has failed is tried again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from elephant_worker.jobs.retry import Policy, kind
from elephant_worker.jobs.run import RunState

KINDS = ["connection", "serialization", "error", "timeout", "lost"]


def policy(**more: object) -> Policy:
    given: dict[str, object] = {
        "job_id": 7,
        "enabled": True,
        "max_retries": 3,
        "retry_delay": 60.0,
        "max_retry_delay": 3600.0,
        "retry_on": KINDS,
        "disable_after": None,
        "failure_count": 1,
        "disabled": False,
        "on_failure": False,
        **more,
    }
    return Policy(**given)  # type: ignore[arg-type]


@given(
    st.integers(1, 100),
    st.floats(0.1, 1e6),
    st.floats(1.0, 1e3),
    st.floats(0.0, 1.0),
)
def test_the_delay_is_bounded(attempt: int, delay: float, factor: float, chance: float) -> None:
    job = policy(max_retries=100, retry_delay=delay, max_retry_delay=delay * factor)
    found = job.retry_after(RunState.FAILED, "22012", attempt, chance)
    assert found is not None
    assert 0.75 * delay <= found <= delay * factor or found == delay * factor
    later = job.retry_after(RunState.FAILED, "22012", attempt + 1, chance)
    assert later is None or later >= found


def test_when_it_is_not() -> None:
    assert policy().retry_after(RunState.FAILED, "22012", 3, 0.5) == 240.0
    assert policy().retry_after(RunState.FAILED, "22012", 4, 0.5) is None
    assert policy(max_retries=0).retry_after(RunState.FAILED, "22012", 1, 0.5) is None
    assert policy(enabled=False).retry_after(RunState.FAILED, "22012", 1, 0.5) is None
    assert policy(disabled=True).retry_after(RunState.FAILED, "22012", 1, 0.5) is None
    assert policy(retry_on=["timeout"]).retry_after(RunState.FAILED, "22012", 1, 0.5) is None
    assert policy().retry_after(RunState.CANCELLED, "57014", 1, 0.5) is None


def test_kinds() -> None:
    for state, sqlstate, expected in (
        ("failed", "08001", "connection"),
        ("failed", "08006", "connection"),
        ("failed", "53300", "connection"),
        ("failed", "57P01", "connection"),
        ("failed", "40001", "serialization"),
        ("failed", "40P01", "serialization"),
        ("failed", "40002", "error"),
        ("failed", "57014", "error"),
        ("timed out", "57014", "timeout"),
        ("lost", "57P02", "lost"),
        ("succeeded", "00000", None),
        ("cancelled", "57014", None),
        ("skipped", "55006", None),
        ("missed", "55000", None),
    ):
        assert kind(RunState(state), sqlstate) == expected


def test_giving_up() -> None:
    assert not policy().gives_up
    assert not policy(disable_after=2).gives_up
    assert policy(disable_after=2, failure_count=2).gives_up
