"""Pictures, stored files and downloads."""
