"""Mails: their jobs in the outbox, their templates, and their delivery.

``templates/mail/<name>/<language>.txt`` has the subject in its first line, and then paragraphs. The HTML form shows
the same paragraphs. A paragraph of only the code is shown large, and one of only the link as a button.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache, partial
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from app.clients.mailer import Message
from app.core.jobs.outbox import Job, enqueue
from app.core.services import services

MONTHS = {
    "en": (
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December",
    ),
    "fr": (
        "janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre",
        "décembre",
    ),
}  # fmt: skip
BUTTON = {"en": "Continue", "fr": "Continuer"}
DEVELOPMENT_URL = "http://127.0.0.1:5000"
SPACES = re.compile(r"\s+")
# A name chosen by a stranger must not become a link in a mail program.
LINKABLE = re.compile(r"[:/@\\]|\w\.\w")


@dataclass(frozen=True)
class Mail:
    """``values`` are the variables of the template; ``code`` and ``link`` get paragraphs of their own."""

    to: str
    language: str
    values: Mapping[str, Any] = field(default_factory=dict)


Composer = Callable[[Job], Mail | None]
"""Composes a mail outside of transactions; None if there is no recipient, or no reason to write any more."""


def post(name: str, payload: Mapping[str, Any]) -> None:
    """Compose and send a mail after the commit of the current transaction."""
    enqueue(f"mail.{name}", payload)


def jobs(composers: Mapping[str, Composer]) -> dict[str, Callable[[Job], None]]:
    return {f"mail.{name}": partial(_deliver, name, compose) for name, compose in composers.items()}


def _deliver(name: str, compose: Composer, job: Job) -> None:
    mail = compose(job)
    if mail is not None:
        services().mailer.send(render(name, mail, message_id=str(job.id)))


def render(name: str, mail: Mail, message_id: str) -> Message:
    """``message_id`` is the same for every attempt."""
    # Without ``strip``: ``greeting`` begins with a space.
    values = {key: SPACES.sub(" ", str(value)) for key, value in mail.values.items()}
    language = mail.language if mail.language in BUTTON else "en"
    text = _environment().get_template(f"{name}/{language}.txt").render(values)
    subject, _, body = text.strip().partition("\n")
    paragraphs = [_one_line(paragraph) for paragraph in body.split("\n\n") if paragraph.strip()]
    layout = _environment().get_template("layout.html")
    special = {"code": values.get("code"), "link": values.get("link"), "button": BUTTON[language]}
    html = layout.render(subject=subject, paragraphs=paragraphs, language=language, **special)
    return Message(message_id, name, mail.to, subject, "\n\n".join(paragraphs) + "\n", html)


@cache
def _environment() -> Environment:
    loader = PackageLoader("app", "templates/mail")
    return Environment(
        loader=loader, autoescape=select_autoescape(["html"]), undefined=StrictUndefined, trim_blocks=True
    )


def _one_line(text: str) -> str:
    """Without line breaks, which would begin a paragraph or a header."""
    return " ".join(text.split())


def plain_name(name: str | None) -> str:
    """The name of a person or company; empty if a mail program could take it for a link."""
    line = _one_line(name or "")
    return line if line.isprintable() and not LINKABLE.search(line) else ""


def greeting(first_name: str | None) -> str:
    """A space and the name, or nothing without a plain name."""
    name = plain_name(first_name)
    return f" {name}" if name else ""


def hours(lifetime: timedelta) -> int:
    return int(lifetime.total_seconds() // 3600)


def moment(at: datetime, language: str) -> dict[str, str]:
    """``day`` and ``time`` of a mail."""
    return {"day": f"{at.day} {MONTHS[language][at.month - 1]} {at.year}", "time": f"{at:%H:%M} UTC"}


def link(path: str, token: str) -> str:
    """A link below PUBLIC_URL, never below the Host of a request. Fragments reach no server log and no Referer."""
    return f"{_base_url()}{path}#token={token}"


def served_link(path: str, token: str) -> str:
    """A link to a page of this service, which must receive the token."""
    return f"{_base_url()}{path}?token={token}"


def _base_url() -> str:
    return (services().settings.public_url or DEVELOPMENT_URL).rstrip("/")
