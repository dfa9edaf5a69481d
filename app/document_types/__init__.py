"""Kinds of identity documents, the same for every tenant."""

from app.document_types.resources import DocumentTypeList, DocumentTypes

TAG = "document-types"
ENDPOINTS = (DocumentTypes, DocumentTypeList)
