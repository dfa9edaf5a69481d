"""The storage that the settings name."""

from app.clients.storage.interface import NoStorage, Storage
from app.config.settings import Settings


def storage_of(settings: Settings) -> Storage:
    """By STORAGE_BACKEND. A backend's libraries are imported only where it is used."""
    if settings.storage_backend == "local":
        from app.clients.storage.local import LocalStorage

        return LocalStorage(settings.storage_path, settings.customer_document_path)
    if settings.storage_backend == "s3":
        from app.clients.storage.s3 import S3Storage

        return S3Storage(settings)
    if settings.storage_backend == "service":
        from app.clients.storage.service import StorageService

        return StorageService(settings)
    return NoStorage()
