"""Sending a message to one receiver, by Apprise."""

from __future__ import annotations

import logging

from apprise import Apprise, AppriseAsset
from apprise.common import NotifyFormat, NotifyType, OverflowMode

from ..configuration import Receiver
from ..redaction import Redactor, parts_of_url
from .message import LONGEST_BODY, Message, one_line

KINDS = {"success": NotifyType.SUCCESS, "warning": NotifyType.WARNING, "failure": NotifyType.FAILURE}
LONGEST_REASON = 300  # characters


class UnusableUrlError(ValueError):
    """Apprise cannot send to this URL, or not as one message."""


class Outlet:
    """The way to a receiver."""

    def __init__(self, receiver: Receiver) -> None:
        """Raises UnusableUrlError, which shows nothing of the URL but its scheme."""
        scheme = receiver.url.partition("://")[0] if "://" in receiver.url else ""
        asset = AppriseAsset(app_id="elephant_worker", app_desc="elephant_worker", secure_logging=True)
        self._redact = Redactor(parts_of_url(receiver.url))
        try:
            plugin = Apprise.instantiate(receiver.url, asset=asset)
        except Exception as error:  # of any library that Apprise calls
            raise UnusableUrlError(self._redact(f"{type(error).__name__}: {error}")) from None
        if plugin is None:
            raise UnusableUrlError(
                f"Apprise does not understand this URL of the scheme {scheme!r}" if scheme else "that is no URL"
            )
        if len(plugin) > 1:
            # If one of several has it and another has not, sending again would tell the first one twice.
            raise UnusableUrlError(
                f"it is for {len(plugin)} recipients, each of whom would get a message of their own; make that as many"
                " receivers"
            )
        plugin.overflow_mode = OverflowMode.TRUNCATE
        self.room = min(LONGEST_BODY, plugin.body_maxlen or LONGEST_BODY)
        self._apprise = Apprise(asset=asset)
        self._apprise.add(plugin)

    def send(self, message: Message) -> str | None:
        """Send; returns None once the receiver has confirmed it, or why it has not."""
        try:
            result = self._apprise.notify(
                body=message.body,
                title=message.title,
                notify_type=KINDS[message.kind],
                body_format=NotifyFormat.TEXT,
                log_level=logging.DEBUG,
            )
            if result:
                return None
            reason = " ".join(
                entry.message
                for entry in result.logs()
                # What the server has said; the other debugging lines hold URLs and whole messages.
                if entry.level in ("WARNING", "ERROR", "CRITICAL") or entry.message.startswith("Socket Exception: ")
            )
        except Exception as error:  # of any library that Apprise calls
            reason = f"{type(error).__name__}: {error}"
        return one_line(self._redact(reason), LONGEST_REASON) or "the receiver has not confirmed it"
