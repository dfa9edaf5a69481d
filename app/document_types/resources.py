"""/document-types"""

from flask import Response
from sqlalchemy import select

from app.core.crud.crud import Crud
from app.core.db.models import db
from app.core.web.body import answer
from app.core.web.declaration import declare
from app.core.web.endpoint import Endpoint
from app.document_types.models import DocumentType
from app.document_types.schemas import DocumentTypeSchema


class DocumentTypes(Crud):
    """Kinds of identity documents."""

    model, schema, path = DocumentType, DocumentTypeSchema, "/document-types"
    permission = "document_type"
    platform = frozenset({"POST", "PUT", "PATCH", "DELETE"})
    verbs = ("create", "retrieve", "replace", "modify", "remove")


class DocumentTypeList(Endpoint):
    """List document types, by code, as a plain array."""

    permission, operations, path = "document_type", {"GET": "LIST"}, "/document-types"

    @declare("listDocumentTypes", answer=DocumentTypeSchema(many=True))
    def get(self) -> Response:
        columns = DocumentTypes.columns
        rows = db.session.execute(select(*columns.values()).order_by(DocumentType.code))
        return answer([dict(zip(columns, row, strict=True)) for row in rows])
