"""What elephant-console forward does until a signal ends it."""

from __future__ import annotations

import logging
import signal
from threading import Thread

from ..configuration import Configuration
from .forwarder import Forwarder
from .heartbeat import Beating
from .stop import Stop

log = logging.getLogger(__name__)


def run(configuration: Configuration) -> bool:
    """Forward alerts until SIGTERM or SIGINT; what is being sent then is sent, and marked. Returns whether all went
    well. Raises UnusableUrlError."""
    stop = Stop()
    tasks = [Forwarder(configuration, receiver, stop).run for receiver in configuration.receivers]
    if configuration.heartbeat:
        tasks.append(Beating(configuration, configuration.heartbeat, stop).run)
    threads = [Thread(target=task) for task in tasks]
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    for thread in threads:
        thread.start()
    log.info("forwarding to %s", ", ".join(receiver.name for receiver in configuration.receivers))
    for thread in threads:
        thread.join()
    return not stop.failed
