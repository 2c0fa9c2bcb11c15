"""Answers that are kept: functools can do it too, but its import is a tenth of what the first call of a session takes.

>>> @remembered(100)
... def length(text):
...     print("counted")
...     return len(text)
>>> length("ab"), length("ab")
counted
(2, 2)
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    Function = TypeVar("Function", bound=Callable[..., Any])


def remembered(most: int) -> Callable[[Function], Function]:
    """Keep so many answers of a function, the newest: the memory of a session has a bound."""

    def decorate(function: Function) -> Function:
        answers: dict[tuple[object, ...], object] = {}

        def remember(*arguments: object) -> object:
            try:
                return answers[arguments]
            except KeyError:
                pass
            answer = function(*arguments)
            if len(answers) >= most:
                del answers[next(iter(answers))]
            answers[arguments] = answer
            return answer

        return remember  # type: ignore[return-value]

    return decorate
