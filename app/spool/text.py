"""Text as PostgreSQL can store it."""


def storable(text: str) -> str:
    """The same without what its ``text`` cannot hold: NUL, and surrogates that are no half of anything."""
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
