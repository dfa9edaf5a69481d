"""A Storage Service on a loopback socket: keeps what it is sent, in memory, or behaves as told."""

import json
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

from werkzeug.formparser import MultiPartParser
from werkzeug.http import parse_options_header

from tests.fakes.guardian import Exchange, FakeGuardian, answer, answers

Place = tuple[str, str, str]
"""Bucket type, bucket id, logical path."""


@dataclass(frozen=True)
class Held:
    file_id: str
    content: bytes
    media_type: str


class FakeStorage(FakeGuardian):
    """``refused`` tokens are answered 401, as one that has expired is."""

    def __init__(self) -> None:
        super().__init__(self.serve)
        self.objects: dict[Place, Held] = {}
        self.refused: set[str] = set()

    def serve(self, exchange: Exchange) -> bool:
        seen = exchange.seen
        path = urlsplit(seen.path).path
        if path == "/health":
            return answers(200, {"status": "healthy"})(exchange)
        token = seen.headers.get("cookie", "").removeprefix("access_token=")
        if not token or token in self.refused:
            return answers(401, {"message": "Missing or expired token."})(exchange)
        served = {
            ("POST", "/upload/proxy"): self._upload,
            ("GET", "/download/proxy"): self._download,
            ("DELETE", "/delete"): self._delete,
        }.get((seen.method, path))
        return answers(404, {})(exchange) if served is None else served(exchange)

    def _upload(self, exchange: Exchange) -> bool:
        seen = exchange.seen
        _, options = parse_options_header(seen.headers["content-type"])
        texts, files = MultiPartParser().parse(BytesIO(seen.body), options["boundary"].encode(), len(seen.body))
        file = files["file"]
        held = Held(str(uuid4()), file.read(), file.content_type or "")
        file.close()
        self.objects[texts["bucket_type"], texts["bucket_id"], texts["logical_path"]] = held
        return answers(201, {"file_id": held.file_id, "message": "Stored."})(exchange)

    def _download(self, exchange: Exchange) -> bool:
        query = {name: values[0] for name, values in parse_qs(urlsplit(exchange.seen.path).query).items()}
        held = self.objects.get((query["bucket_type"], query["bucket_id"], query["logical_path"]))
        if held is None:
            return answers(404, {"message": "No such file."})(exchange)
        exchange.socket.sendall(answer(200, held.content, held.media_type))
        return True

    def _delete(self, exchange: Exchange) -> bool:
        wanted: dict[str, Any] = json.loads(exchange.seen.body)
        found = [place for place, held in self.objects.items() if held.file_id == wanted["file_id"]]
        if not found or wanted["physical"] is not True:
            return answers(404, {"message": "No such file."})(exchange)
        del self.objects[found[0]]
        return answers(200, {"message": "Deleted."})(exchange)
