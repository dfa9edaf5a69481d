"""Mails: what is written in the outbox, how it is worded in a language, and what leaves for the mailer.

``templates/mail/<name>/<language>.txt`` has the subject in its first line and paragraphs after it. The
HTML form shows the same paragraphs; one that is nothing but the code stands large, one that is nothing
but the link becomes a button.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache, partial
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from app.clients.mailer import Message
from app.core.jobs.job import Job
from app.core.jobs.outbox import enqueue
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
# A name that a stranger chose must not become a link in somebody's mail program.
LINKABLE = re.compile(r"[:/@\\]|\w\.\w")


@dataclass(frozen=True)
class Mail:
    """``values`` fill the template; ``code`` and ``link`` among them are shown apart."""

    to: str
    language: str
    values: Mapping[str, Any] = field(default_factory=dict)


Composer = Callable[[Job], Mail | None]
"""Outside of any transaction. None: there is nobody to write to, or nothing to say any more."""


def post(name: str, payload: Mapping[str, Any]) -> None:
    """Let a mail be composed and sent once the current transaction has committed."""
    enqueue(f"mail.{name}", payload)


def jobs(composers: Mapping[str, Composer]) -> dict[str, Callable[[Job], None]]:
    """What the worker does for each kind of mail."""
    return {f"mail.{name}": partial(_deliver, name, compose) for name, compose in composers.items()}


def _deliver(name: str, compose: Composer, job: Job) -> None:
    mail = compose(job)
    if mail is not None:
        services().mailer.send(render(name, mail, message_id=str(job.id)))


def render(name: str, mail: Mail, message_id: str) -> Message:
    """``message_id`` is the same for every attempt."""
    # The space before a name stays.
    values = {key: SPACES.sub(" ", str(value)) for key, value in mail.values.items()}
    language = mail.language if mail.language in BUTTON else "en"
    text = _environment().get_template(f"{name}/{language}.txt").render(values)
    subject, _, body = text.strip().partition("\n")
    paragraphs = [" ".join(each.split()) for each in body.split("\n\n") if each.strip()]
    layout = _environment().get_template("layout.html")
    shown = {"code": values.get("code"), "link": values.get("link"), "button": BUTTON[language]}
    html = layout.render(subject=subject, paragraphs=paragraphs, language=language, **shown)
    return Message(message_id, name, mail.to, subject, "\n\n".join(paragraphs) + "\n", html)


@cache
def _environment() -> Environment:
    loader = PackageLoader("app", "templates/mail")
    return Environment(
        loader=loader, autoescape=select_autoescape(["html"]), undefined=StrictUndefined, trim_blocks=True
    )


def one_line(value: Any) -> str:
    """A value can neither begin a paragraph nor a header."""
    return " ".join(str(value).split())


def plain_name(name: str | None) -> str:
    """The name of a person or company; empty where it could be taken for more than a name."""
    found = one_line(name or "")
    return found if found.isprintable() and not LINKABLE.search(found) else ""


def greeting(first_name: str | None) -> str:
    """A space and the name, or nothing where there is none that could stand in a mail."""
    name = plain_name(first_name)
    return f" {name}" if name else ""


def hours(lifetime: timedelta) -> int:
    return int(lifetime.total_seconds() // 3600)


def moment(at: datetime, language: str) -> dict[str, str]:
    """``day`` and ``time``, as a mail writes them."""
    return {"day": f"{at.day} {MONTHS[language][at.month - 1]} {at.year}", "time": f"{at:%H:%M} UTC"}


def link(path: str, token: str) -> str:
    """Below PUBLIC_URL, never below a host that a request named. A fragment reaches no server's log and no Referer."""
    return f"{_base()}{path}#token={token}"


def served_link(path: str, token: str) -> str:
    """To a page of this service itself, which has to see the token."""
    return f"{_base()}{path}?token={token}"


def _base() -> str:
    return (services().settings.public_url or DEVELOPMENT_URL).rstrip("/")
