"""Text and elements of XML files."""

from __future__ import annotations

import re
from xml.etree import ElementTree

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def xml_text(text: str) -> str:
    """Without the characters that XML 1.0 cannot hold."""
    return _NOT_XML.sub("", text)


def element_text(element: ElementTree.Element, level: int = 0) -> str:
    """An indented element on lines of its own, so many levels below the root."""
    ElementTree.indent(element, level=level)
    return f"{'  ' * level}{ElementTree.tostring(element, encoding='unicode')}\n"
