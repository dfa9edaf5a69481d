"""Document types on the wire."""

from app.core.wire.schema import BaseSchema, Flag, Timestamp, of, read_only_id
from app.document_types.models import DocumentType


class DocumentTypeSchema(BaseSchema):
    id = read_only_id()
    name = of(DocumentType.name, required=True)
    code = of(DocumentType.code, required=True)
    description = of(DocumentType.description)
    active = of(DocumentType.active, Flag)
    created_at = Timestamp()
