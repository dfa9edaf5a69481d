"""Small files of every kind that a document may be, and how they are sent."""

from io import BytesIO
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

from werkzeug.test import TestResponse

from app.customers.documents.office_files import DOCX_PART, XLSX_PART
from tests.customers.dossier import Json, customer
from tests.support.clients import ApiClient, Tenant
from tests.support.pictures import picture

PDF = b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
TEXT = "Grüße, 世界\r\n\tline two\n".encode()
TYPE = "passport"
MAIN = {"word": DOCX_PART, "xl": XLSX_PART}


def office(folder: str = "word", *, types: bytes | None = None, **more: bytes) -> bytes:
    """A DOCX or XLSX with further parts."""
    main = MAIN.get(folder, b"nothing")
    part = "document.xml" if folder == "word" else "workbook.xml"
    listing = b'<?xml version="1.0"?><Types><Override PartName="/%s/%s" ContentType="%s"/></Types>'
    listing %= (folder.encode(), part.encode(), main)
    return archive({"[Content_Types].xml": types or listing, f"{folder}/{part}": b"<?xml version='1.0'?><a/>"} | more)


def archive(parts: dict[str, bytes], method: int = ZIP_DEFLATED) -> bytes:
    target = BytesIO()
    with ZipFile(target, "w", method) as written:
        for name, data in parts.items():
            written.writestr(name, data)
    return target.getvalue()


def samples() -> dict[str, bytes]:
    """By the ending of the name that is theirs."""
    return {
        ".pdf": PDF,
        ".png": picture("PNG"),
        ".jpg": picture("JPEG"),
        ".webp": picture("WEBP"),
        ".tif": picture("TIFF"),
        ".docx": office("word"),
        ".xlsx": office("xl"),
        ".txt": TEXT,
    }


def send(client: ApiClient, path: str, data: bytes = PDF, name: str = "scan.pdf", **values: Any) -> TestResponse:
    """``path`` is a customer's."""
    media_type = values.pop("media_type", "application/octet-stream")
    form = {"document_type": TYPE, "file": (BytesIO(data), name, media_type)} | values
    return client.post(f"{path}/documents", data={key: value for key, value in form.items() if value is not None})


def document(company: Tenant, owner: str = "", data: bytes = PDF, name: str = "scan.pdf", **values: Any) -> Json:
    """A new document, with its path as ``path``."""
    owner = owner or customer(company)
    answer = send(company.admin, owner, data, name, **values)
    assert answer.status_code == 201, answer.text
    found: Json = answer.get_json()
    return found | {"path": f"{owner}/documents/{found['id']}"}


__all__ = ["PDF", "TEXT", "TYPE", "ZIP_STORED", "archive", "document", "office", "samples", "send"]
