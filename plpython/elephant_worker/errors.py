"""What a user did wrong, in the parts that PostgreSQL reports: message, DETAIL, HINT, SQLSTATE."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class UserError(Exception):
    """An input that is refused; all four parts reach the user."""

    def __init__(self, message: str, detail: str | None, hint: str | None, sqlstate: str = "22023") -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail
        self.hint = hint
        self.sqlstate = sqlstate

    @classmethod
    def of(cls, error: Any) -> UserError:
        """What PostgreSQL has reported to PL/Python (plpy.SPIError). Raised again by SQL it carries no traceback."""
        _, detail, hint, *_ = error.spidata
        return cls(str(error), detail, hint, error.sqlstate)

    def as_row(self) -> dict[str, str | None]:
        """The composite type `user_error` of the extension."""
        return {
            "sqlstate": self.sqlstate,
            "message": self.message,
            "detail": self.detail,
            "hint": self.hint,
        }
