"""A real SMTP server that keeps what it accepts, and misbehaves when told to."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass
class Inbox:
    """``fault``: none, 421, 550, hang (no answer to DATA), drop (accepted, then the line is cut unanswered)."""

    fault: str = ""
    accepted: list[Envelope] = field(default_factory=list)
    port: int = 0

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: Any
    ) -> str:
        if self.fault in ("421", "550"):
            return f"{self.fault} not now, {address}"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:
        if self.fault == "hang":
            await asyncio.sleep(60)
        self.accepted.append(envelope)
        if self.fault == "drop" and server.transport is not None:
            server.transport.abort()
        return "250 accepted"

    @property
    def mails(self) -> list[EmailMessage]:
        return [message_from_bytes(each.content or b"", policy=policy.default) for each in self.accepted]  # type: ignore[arg-type,misc]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        found: int = probe.getsockname()[1]
        return found


@contextmanager
def smtp(port: int = 0) -> Iterator[Inbox]:
    inbox = Inbox(port=port or free_port())
    controller = Controller(inbox, hostname="127.0.0.1", port=inbox.port, ready_timeout=10, enable_SMTPUTF8=True)
    controller.start()
    try:
        yield inbox
    finally:
        controller.stop(no_assert=True)


def settings(inbox: Inbox) -> dict[str, str]:
    """What a service needs to send there."""
    return {
        "USE_EMAIL_SERVICE": "true",
        "MAIL_SERVER": "127.0.0.1",
        "MAIL_PORT": str(inbox.port),
        "MAIL_USE_TLS": "false",
        "MAIL_DEFAULT_SENDER": "Identity <noreply@identity.example>",
    }
