"""Several processes of the service on one database, let loose at the same moment."""

import json
import os
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self, TextIO

from app.config.settings import ROOT
from tests.support.clients import ApiClient
from tests.support.databases import ENVIRONMENT

SIZE = 4
THREADS = 4


@dataclass(frozen=True)
class Wish:
    """One request, or (WORK) that the outbox be worked off."""

    method: str
    path: str
    values: Any = None
    headers: dict[str, str] = field(default_factory=dict)


class Answer(NamedTuple):
    status: int
    body: Any
    etag: str | None


def by(client: ApiClient, method: str, path: str, values: Any = None, **headers: str) -> Wish:
    """A request that somebody makes."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return Wish(method, path, values, {"Authorization": f"Bearer {client.token}", **given})


class Fleet:
    """``log`` is what the processes wrote; ``seen`` counts the statuses of one test."""

    def __init__(self, database_url: str, log: Path) -> None:
        self.log = log
        self.seen: Counter[int] = Counter()
        self.is_crowded = False
        """Whether THREADS threads of each process share the requests of a batch, in whatever order."""
        self.mails = log.with_suffix(".mails")
        own = {"DATABASE_URL": database_url, "MAIL_FOLDER": str(self.mails)}
        kept = {"STORAGE_PATH": str(log.parent / "fleet-storage"), "DOCUMENT_QUOTA_MB": "1"}
        self.environ = {**os.environ, **ENVIRONMENT, **own, **kept}
        self._members: list[TextIO] = []

    def __enter__(self) -> Self:
        pairs = [socket.socketpair() for _ in range(SIZE)]
        with self.log.open("w") as log:
            self._launcher = self._launch([there.fileno() for _, there in pairs], log)
        for here, there in pairs:
            there.close()
            self._members.append(here.makefile("rw"))
            here.close()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        for member in self._members:
            member.close()
        self._launcher.wait(timeout=60)

    def _launch(self, sockets: list[int], log: TextIO) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.across.races.worker", *map(str, sockets)]
        return subprocess.Popen(command, cwd=ROOT, env=self.environ, pass_fds=sockets, stdout=log, stderr=log)

    def run(self, *batches: Sequence[Wish]) -> list[list[Answer]]:
        """Every batch in a process of its own, all starting at once, the requests of a batch in order."""
        crew = self._members[: len(batches)]
        for member, batch in zip(crew, batches, strict=True):
            self._tell(member, json.dumps([self.is_crowded, [asdict(wish) for wish in batch]]))
        for member in crew:
            assert self._heard(member) == "ready"
        for member in crew:
            self._tell(member, "go")
        answers = [[Answer(*each) for each in self._heard(member)] for member in crew]
        self.seen.update(answer.status for batch in answers for answer in batch)
        return answers

    def rush(self, wishes: Sequence[Wish]) -> list[Answer]:
        """All at once, dealt out to every process; the last of them is the last of its batch."""
        batches = [wishes[number::SIZE] for number in range(SIZE)]
        return [answer for batch in self.run(*batches) for answer in batch]

    def race(self, *wishes: Wish) -> list[Answer]:
        """One request per process."""
        return [answer for [answer] in self.run(*([wish] for wish in wishes))]

    def _tell(self, member: TextIO, line: str) -> None:
        member.write(line + "\n")
        member.flush()

    def _heard(self, member: TextIO) -> Any:
        line = member.readline()
        assert line, f"A process ended:\n{self.log.read_text()[-4000:]}"
        return json.loads(line)
