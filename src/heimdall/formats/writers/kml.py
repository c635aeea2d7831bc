"""Fixes as KML 2.2: a folder each, with estimate, regions, receivers and truth."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from heimdall.fix import Fix, Region
from heimdall.formats.reports import reported
from heimdall.formats.wording import headline, place_text, receiver_remark
from heimdall.formats.writers.xml_text import element_text, xml_text
from heimdall.observation import Observation

_NAMESPACE = "http://www.opengis.net/kml/2.2"
_STYLES = {
    "estimate": ("IconStyle", "ff0f48d9"),
    "truth": ("IconStyle", "ff5b7f08"),
    "receiver": ("IconStyle", "ff33271c"),
    "unused": ("IconStyle", "ff7f7266"),
    "region68": ("PolyStyle", "660f48d9"),
    "region95": ("PolyStyle", "330f48d9"),
}
"""Colours as KML has them: opacity, blue, green, red."""


def kml_pieces(pairs: Iterable[tuple[Fix, Observation]]) -> Iterator[str]:
    yield f'<?xml version="1.0" encoding="UTF-8"?>\n<kml xmlns="{_NAMESPACE}">\n  <Document>\n'
    for name, (kind, color) in _STYLES.items():
        yield element_text(_style(name, kind, color), level=2)
    for fix, observation in pairs:
        yield element_text(_folder(fix, observation), level=2)
    yield "  </Document>\n</kml>\n"


def _style(name: str, kind: str, color: str) -> ElementTree.Element:
    style = ElementTree.Element("Style", id=name)
    _add(ElementTree.SubElement(style, kind), "color", color)
    if kind == "PolyStyle":
        line = ElementTree.SubElement(style, "LineStyle")
        _add(line, "color", f"ff{color[2:]}")
        _add(line, "width", "1.5")
    return style


def _folder(fix: Fix, observation: Observation) -> ElementTree.Element:
    folder = ElementTree.Element("Folder")
    _add(folder, "name", headline(fix))
    _add(folder, "description", "\n".join([place_text(fix), fix.advice, *observation.notes]))
    for name, region in (("region95", fix.region_95), ("region68", fix.region_68)):
        if region is not None:
            _add_region(folder, name, region)
    for reception, report in reported(fix, observation):
        receiver, style = reception.receiver, "receiver" if report.used else "unused"
        remark = receiver_remark(report)
        _add_point(folder, style, receiver.name, remark, receiver.latitude_deg, receiver.longitude_deg)
    if fix.truth is not None:
        _add_point(folder, "truth", "truth", "", fix.truth.latitude_deg, fix.truth.longitude_deg)
    if fix.latitude_deg is not None and fix.longitude_deg is not None:
        _add_point(folder, "estimate", fix.id, place_text(fix), fix.latitude_deg, fix.longitude_deg, fix.height_m)
    return folder


def _add_point(
    folder: ElementTree.Element,
    style: str,
    name: str,
    description: str,
    latitude_deg: float,
    longitude_deg: float,
    height_m: float | None = None,
) -> None:
    """Nothing for a place that nobody knows; a known height is drawn on the ground and told."""
    if not math.isfinite(latitude_deg + longitude_deg):
        return
    placemark = _placemark(folder, style, name, description)
    point = ElementTree.SubElement(placemark, "Point")
    height = "" if height_m is None else f",{height_m:.1f}"
    _add(point, "coordinates", f"{longitude_deg:.8f},{latitude_deg:.8f}{height}")


def _add_region(folder: ElementTree.Element, style: str, region: Region) -> None:
    placemark = _placemark(folder, style, f"{region.probability * 100:g} % region", "")
    geometry = ElementTree.SubElement(placemark, "MultiGeometry")
    for rings in region.cut():
        polygon = ElementTree.SubElement(geometry, "Polygon")
        for index, ring in enumerate(rings):
            boundary = ElementTree.SubElement(polygon, "innerBoundaryIs" if index else "outerBoundaryIs")
            _add(ElementTree.SubElement(boundary, "LinearRing"), "coordinates", _coordinates(ring))


def _placemark(folder: ElementTree.Element, style: str, name: str, description: str) -> ElementTree.Element:
    placemark = ElementTree.SubElement(folder, "Placemark")
    _add(placemark, "name", name)
    if description:
        _add(placemark, "description", description)
    _add(placemark, "styleUrl", f"#{style}")
    return placemark


def _coordinates(ring: NDArray[np.float64]) -> str:
    return " ".join(f"{longitude_deg:.8f},{latitude_deg:.8f}" for longitude_deg, latitude_deg in ring)


def _add(parent: ElementTree.Element, tag: str, text: str) -> None:
    ElementTree.SubElement(parent, tag).text = xml_text(text)
