"""Hostile text for XML 1.0: escaped, and without the characters that no XML document may hold."""

from xml.sax.saxutils import escape

from web.exports.plain_text import plain

_NO_XML = dict.fromkeys((0xFFFE, 0xFFFF))  # beside those that plain() drops


def xml_text(text: str) -> str:
    """Return plain text for an element or, between double quotes, an attribute."""
    return escape(plain(text).translate(_NO_XML), {'"': "&quot;"})
