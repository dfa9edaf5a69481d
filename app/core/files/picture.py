"""The one picture that a row may have: an avatar or a logo."""

import inspect
import io
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any, BinaryIO, ClassVar
from uuid import UUID

import structlog
from flask import Response, request
from marshmallow import fields, validate
from sqlalchemy import bindparam, select
from sqlalchemy.orm import Mapped, mapped_column
from werkzeug.wsgi import wrap_file

from app.base.errors import NotFound
from app.clients.storage.interface import Content, Missing, disabled, refused
from app.core.db.lookup import lock_row, not_found
from app.core.db.models import IsSet, db
from app.core.db.tenancy import TenantQuery, tenant
from app.core.db.transaction import company_transaction, read_in_own_transaction
from app.core.files.download import BINARY
from app.core.files.images import MEDIA_TYPE, SIGNATURE, THUMBNAILS, WHOLE
from app.core.files.stored_file import Deposit, FileOwner, NewObject, StoredFile, discard, storage_caller
from app.core.services import services
from app.core.web.body import answer, no_content
from app.core.web.declaration import Declaration
from app.core.web.endpoint import Endpoint
from app.core.web.principal import principal
from app.core.wire.forms import Upload, receive_file

log = structlog.get_logger(__name__)

CACHED = "private, max-age=300"
EDGES = (WHOLE, *THUMBNAILS)
STORAGE_ERRORS = (502, 503, 504)
READ_ERRORS = (404, *STORAGE_ERRORS)
WRITE_ERRORS = (404, 409, *STORAGE_ERRORS)
PICTURE_VERBS = {"GET": "get", "POST": "upload", "DELETE": "remove"}


class LogoOwner:
    logo_file_id: Mapped[UUID | None] = mapped_column(sort_order=80)
    has_logo = IsSet("logo_file_id")


class Picture(Endpoint, abstract=True):
    """The picture of ``<field>_file_id``, in the model's ``bucket``; stored and decoded outside of transactions."""

    model: ClassVar[type[Any]]
    field: ClassVar[str]
    own_transaction = revalidated = True
    operations = {"GET": "READ", "POST": "UPDATE", "DELETE": "UPDATE"}
    forms = frozenset({"POST"})
    parameters = {"GET": {"size": fields.Integer(validate=validate.OneOf(THUMBNAILS))}}
    file_id_query: ClassVar[TenantQuery]

    def __init_subclass__(cls, *, abstract: bool = False, **kwargs: Any) -> None:
        super().__init_subclass__(abstract=abstract, **kwargs)
        if not abstract:
            statement = select(getattr(cls.model, cls.column())).where(cls.model.id == bindparam("item_id"))
            cls.file_id_query = TenantQuery(statement)

    @classmethod
    def column(cls) -> str:
        return f"{cls.field}_file_id"

    @classmethod
    def declaration_of(cls, method: str, *, collection: bool) -> Declaration:
        verb, about = PICTURE_VERBS[method], (inspect.getdoc(cls) or "").rstrip(".")
        operation_id = f"{verb}{cls.model.__name__}{cls.field.capitalize()}"
        summary = f"{verb.capitalize()} {about[:1].lower()}{about[1:]}"
        operation = Declaration(operation_id, summary, errors=WRITE_ERRORS)
        if method == "GET":
            description = "A PNG; size asks for a square thumbnail."
            read = replace(operation, description=description, answer=BINARY, media=(MEDIA_TYPE,), has_version=True)
            return replace(read, errors=READ_ERRORS)
        if method == "POST":
            upload = replace(operation, description="A JPEG, PNG, GIF, BMP or WebP.", upload=cls.field, status=201)
            return replace(upload, answer=_upload_answer(cls.field), headers=("Location",))
        return replace(operation, status=204)

    @classmethod
    def error_codes(cls) -> tuple[str, ...]:
        return (f"{cls.field.upper()}_NOT_FOUND",)

    def company_of(self, id: UUID) -> UUID:
        """Hook: the tenant of the row, among those that the caller may reach."""
        return principal().company_id

    def check_may_write(self, id: UUID) -> None:
        """Hook: a rule beyond the policy engine. Raises Forbidden."""

    def get(self, id: UUID) -> Response:
        """An object missing from storage was replaced meanwhile, so the row is read once more."""
        check_enabled()
        for _ in range(2):
            file_id = self._read_file_id(id)
            if file_id is None:
                raise self._not_found()
            tag = f"{file_id}-{self.params.get('size', WHOLE)}"
            if request.if_none_match.contains_weak(tag):
                return Response(status=304, headers=_headers(tag))
            try:
                return _response(self._open(id, file_id), self.field, tag)
            except Missing:
                continue
        log.error("stored_file_missing", file_id=file_id, remedy="flask storage check")
        raise self._not_found()

    def post(self, id: UUID) -> Response:
        check_enabled()
        self.check_row(id)
        with ExitStack() as stack:
            upload = receive_file(stack, self.field)
            deposit = deposit_picture(FileOwner(self.company_of(id), self.model.bucket, id), upload)
        with deposit.undo_on_error(), self._locked_row(id) as row:
            attach_file(row, self.column(), deposit)
        location = f"{request.script_root}{request.path}"
        ids = dict.fromkeys(("file_id", self.column()), deposit.id)
        content = {"message": f"The {self.field} is stored.", **ids, f"has_{self.field}": True}
        return answer(content, 201, {"Location": location})

    def delete(self, id: UUID) -> Response:
        check_enabled()
        self.check_row(id)
        with self._locked_row(id) as row:
            if getattr(row, self.column()) is None:
                raise self._not_found()
            detach_file(row, self.column())
        return no_content()

    def check_row(self, id: UUID) -> None:
        """Raises NotFound, then Forbidden, so that rows of other companies stay unknown."""
        self._read_file_id(id)
        self.check_may_write(id)

    def _read_file_id(self, id: UUID) -> UUID | None:
        with tenant(self.company_of(id)):
            rows = read_in_own_transaction(self.file_id_query, {"item_id": id})
        if not rows:
            raise not_found(self.model)
        file_id: UUID | None = rows[0][0]
        return file_id

    def _open(self, id: UUID, file_id: UUID) -> Content:
        owner = FileOwner(self.company_of(id), self.model.bucket, id)
        path = path_of(file_id, self.field, self.params.get("size", WHOLE))
        return services().storage.open(owner.key(path), storage_caller())

    @contextmanager
    def _locked_row(self, id: UUID) -> Iterator[Any]:
        """A short transaction that locks the row. Raises NotFound."""
        with company_transaction(self.company_of(id)):
            row = lock_row(self.model, id)
            if row is None:
                raise not_found(self.model)
            yield row

    def _not_found(self) -> NotFound:
        return NotFound(f"There is no {self.field}.", code=f"{self.field.upper()}_NOT_FOUND")


def _upload_answer(field: str) -> dict[str, Any]:
    file_id = {"type": "string", "format": "uuid"}
    properties = {
        "message": {"type": "string"},
        "file_id": file_id,
        f"{field}_file_id": file_id,
        f"has_{field}": {"type": "boolean"},
    }
    return {"type": "object", "required": [*properties], "properties": properties, "additionalProperties": False}


def check_enabled() -> None:
    """Raises Unavailable."""
    if services().storage.name == "none":
        raise disabled()


def path_of(file_id: UUID, field: str, edge: int) -> str:
    """``<file id>/avatar.png``, and ``<file id>/avatar-64.png`` for a thumbnail."""
    return f"{file_id}/{field}-{edge}.png" if edge else f"{file_id}/{field}.png"


def deposit_picture(owner: FileOwner, upload: Upload) -> Deposit:
    """Decode an upload and store its pictures. Raises Invalid, and the errors of storage and decoding."""
    upload.check_size(services().settings.max_avatar_size_mb)
    deposit = Deposit(owner)
    with services().images.make_pictures(upload.field, upload.file, EDGES) as files:
        deposit.put([picture_object(deposit.id, upload.field, edge, file) for edge, file in files.items()])
    return deposit


def picture_object(file_id: UUID, field: str, edge: int, file: BinaryIO) -> NewObject:
    return NewObject(path_of(file_id, field, edge), file, os.fstat(file.fileno()).st_size, MEDIA_TYPE)


def attach_file(row: Any, column: str, deposit: Deposit) -> None:
    """Let the row show the file, in the open transaction, and discard its earlier file."""
    earlier = getattr(row, column)
    setattr(row, column, deposit.id)
    db.session.add(deposit.row())
    db.session.flush()
    _discard_file(earlier)
    deposit.is_complete = True


def detach_file(row: Any, column: str) -> None:
    earlier = getattr(row, column)
    setattr(row, column, None)
    db.session.flush()
    _discard_file(earlier)


def _discard_file(file_id: UUID | None) -> None:
    if file_id is not None:
        discard(StoredFile.id == file_id)


def _headers(tag: str) -> dict[str, str]:
    return {"ETag": f'"{tag}"', "Cache-Control": CACHED}


def _response(content: Content, field: str, tag: str) -> Response:
    """Raises BadGateway for an object that is no PNG."""
    if content.file.read(len(SIGNATURE)) != SIGNATURE:
        content.file.close()
        raise refused()
    content.file.seek(0)
    # The server's sendfile takes unbuffered files only.
    is_raw = isinstance(content.file, io.FileIO)
    body = wrap_file(request.environ, content.file) if is_raw else content.chunks()
    response = Response(body, mimetype=MEDIA_TYPE, direct_passthrough=is_raw)
    response.call_on_close(content.file.close)
    response.content_length = content.length
    response.headers.update(_headers(tag) | {"Content-Disposition": f'inline; filename="{field}.png"'})
    return response
