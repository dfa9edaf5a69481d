"""Any S3-compatible store. boto3 finds it and signs; our HTTP sends, because boto3 has no deadline for a call."""

from collections.abc import Iterator
from io import BytesIO
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from app.clients.http.message import FileBody
from app.clients.storage.exchange import HEALTH_SECONDS, StorageExchange, StoredReply, log
from app.clients.storage.interface import Content, Key, Missing, StorageCaller, Stored, refused, unusable
from app.config.settings import Settings

SIGNED_SECONDS = 300
NO_BUCKET = b"<Code>NoSuchBucket</Code>"
MOST_ERROR_BYTES = 16 * 1024


class S3Storage:
    """Keys are ``prefix/company/bucket type/owner/file``; the store's own name for an object is its key."""

    name, needs_caller = "s3", False

    def __init__(self, settings: Settings) -> None:
        """Credentials and region come from where Amazon's tools look for them."""
        parts = urlsplit(settings.storage_url)
        self._bucket, self._prefix = parts.netloc, parts.path.strip("/")
        self._exchange = StorageExchange(settings.threads)
        # A store that is not Amazon's has rarely a host name per bucket.
        style = "path" if settings.s3_endpoint_url else "auto"
        config = Config(
            signature_version="s3v4",
            s3={"addressing_style": style},
            connect_timeout=HEALTH_SECONDS,
            read_timeout=settings.storage_request_timeout,
            retries={"max_attempts": 2},
        )
        self._client: Any = boto3.client("s3", endpoint_url=settings.s3_endpoint_url or None, config=config)

    def put(self, key: Key, file: BinaryIO, size: int, media_type: str, caller: StorageCaller) -> str:
        url = self._signed_url("put_object", Key=self._name(key), ContentType=media_type)
        headers = {"Content-Type": media_type}
        self._exchange.send("PUT", url, headers, caller.deadline, FileBody(file, size)).file.close()
        return ""

    def open(self, key: Key, caller: StorageCaller, *, start: int = 0, end: int | None = None) -> Content:
        part = f"bytes={start}-{'' if end is None else end - 1}"
        headers = {"Range": part} if start or end is not None else {}
        url = self._signed_url("get_object", Key=self._name(key))
        reply = self._exchange.send("GET", url, headers, caller.deadline, statuses=(200, 206, 404, 416))
        if reply.status == 200:
            return reply.content(start, end)
        if reply.status == 206:
            return Content(reply.file, _whole_size(reply), reply.size)
        with reply.file:
            if reply.status == 416:
                return Content(BytesIO(), self._size(key, caller), 0)
            raise reply.refusal() if _lacks_bucket(reply) else Missing()

    def remove(self, key: Key, reference: str, caller: StorageCaller) -> None:
        url = self._signed_url("delete_object", Key=self._name(key))
        reply = self._exchange.send("DELETE", url, {}, caller.deadline, statuses=(200, 204, 404))
        with reply.file:
            if reply.status == 404 and _lacks_bucket(reply):
                raise reply.refusal()

    def stored(self) -> Iterator[Stored]:
        prefix = f"{self._prefix}/" if self._prefix else ""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
        try:
            for page in pages:
                for item in page.get("Contents", ()):
                    key = Key.parse(item["Key"].removeprefix(prefix))
                    if key is not None:
                        yield Stored(key, item["Size"], item["LastModified"])
        except (BotoCoreError, ClientError) as error:
            log.warning("storage_failed", cause=type(error).__name__)
            raise unusable() from error

    def check_health(self) -> None:
        self._exchange.check_health("HEAD", self._signed_url("head_bucket"))

    def _name(self, key: Key) -> str:
        return f"{self._prefix}/{key}" if self._prefix else str(key)

    def _size(self, key: Key, caller: StorageCaller) -> int:
        reply = self._exchange.send("HEAD", self._signed_url("head_object", Key=self._name(key)), {}, caller.deadline)
        with reply.file:
            size = reply.headers.get("content-length", "")
            if not size.isdecimal():
                raise reply.refusal()
        return int(size)

    def _signed_url(self, operation: str, **params: str) -> str:
        """Raises Unavailable without credentials."""
        try:
            parameters = {"Bucket": self._bucket, **params}
            url: str = self._client.generate_presigned_url(operation, parameters, ExpiresIn=SIGNED_SECONDS)
        except BotoCoreError as error:
            log.warning("storage_failed", cause=type(error).__name__)
            raise unusable() from error
        return url


def _lacks_bucket(reply: StoredReply) -> bool:
    """A store also answers 404 where the bucket itself is missing."""
    body = reply.file.read(MOST_ERROR_BYTES)
    reply.file.seek(0)
    return NO_BUCKET in body


def _whole_size(reply: StoredReply) -> int:
    """From Content-Range (RFC 9110 section 14.4). Raises BadGateway."""
    size = reply.headers.get("content-range", "").rpartition("/")[2]
    if not size.isdecimal():
        reply.file.close()
        raise refused()
    return int(size)
