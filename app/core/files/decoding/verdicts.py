"""What the program says of a picture, and the bound that every format has."""

DONE, UNKNOWN, BROKEN, TOO_MANY_PIXELS, TOO_MUCH_MEMORY = ("done", "unknown", "broken", "pixels", "memory")


class InvalidPicture(Exception):
    """``args[0]`` is the verdict."""


def check_size(width: int, height: int, most_pixels: int) -> None:
    """Raises InvalidPicture."""
    if width * height > most_pixels:
        raise InvalidPicture(TOO_MANY_PIXELS)
