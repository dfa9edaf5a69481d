"""Document types on the wire."""

from app.core.wire.schema import BaseSchema, Flag, Timestamp, column_field, read_only_id
from app.document_types.models import DocumentType


class DocumentTypeSchema(BaseSchema):
    example = {"name": "Residence permit", "code": "RESIDENCE"}
    id = read_only_id()
    name = column_field(DocumentType.name, required=True)
    code = column_field(DocumentType.code, required=True)
    description = column_field(DocumentType.description)
    active = column_field(DocumentType.active, Flag)
    created_at = Timestamp()
