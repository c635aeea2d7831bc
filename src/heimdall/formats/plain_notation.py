"""Signs and words that stand for plainer ones in a position: of other languages, of its datum and its unit, and typed otherwise.

What is left has "lat" and "lon", the letters of hemispheres, points before decimals, and the usual signs.
"""

from __future__ import annotations

import re
from functools import partial

_NO_MORE = r"(?!\d|[.,]\d|\s*[°º])"
"""No further digits, and no degrees: what stood before would be two numbers."""
_LATITUDE, _LONGITUDE = r"lat(?:itude)?\b", r"(?:lon(?:g|gitude)?|lng)\b"
_NUMBERED = r"(?<=[\d°º'′’\"″”])[ \t]*"
_OF_LATITUDE = r"(?:geogr\w*\.?\s+)?(?:Breite|Br\.)"
_OF_LONGITUDE = r"(?:geogr\w*\.?\s+)?(?:L(?:ä|ae)nge|L\.)"
_HEMISPHERES = (
    ("N", rf"n(?:ö|oe)rdl\w*\.?\s*{_OF_LATITUDE}|(?:de\s+latitud[e]?\s+)?(?:Nord|Norte|Noord|Norr)\b"),
    ("S", rf"s(?:ü|ue)dl\w*\.?\s*{_OF_LATITUDE}|(?:de\s+latitud[e]?\s+)?(?:S[uü]d|Sued|Sur|Sul|Zuid|Syd)\b"),
    ("E", rf"(?:ö|oe)stl\w*\.?\s*{_OF_LONGITUDE}|(?:de\s+longitud[e]?\s+)?(?:Ost|Oost|Este?|Öst)\b"),
    ("W", rf"westl\w*\.?\s*{_OF_LONGITUDE}|(?:de\s+longitud[e]?\s+)?O(?:este|uest|vest)\b"),
)
"""Behind a number; elsewhere they are other words. A single O is east to some and west to others."""
_NAMES = (
    ("lat", r"Breite(?:ngrad)?|latitud(?:ine)?|breedte(?:graad)?|bredd(?:e?grad)?|szerokość|šířka|широта"),
    (
        "lon",
        r"L(?:ä|ae)nge(?:ngrad)?|longitud(?:ine)?|lengte(?:graad)?|l(?:ä|æ|e)ng[dt](?:e?grad)?|długość|délka|долгота",
    ),
)
_GEOGRAPHIC = r"(?:\bgeo(?:gr\w*)?\.?\s+)?"
_TYPED = (
    (re.compile("[\u2212\u2013\u2012\u2010\u2011](?=\\d)"), "-"),
    (
        re.compile(
            r"[(\[]?\bWGS[-_ ]?(?:19)?84\b[)\]]?|[(\[]?\bEPSG:?\s?4326\b[)\]]?|(?<=[a-z])_wgs84\b", re.IGNORECASE
        ),
        " ",
    ),
    *((re.compile(rf"{_NUMBERED}(?:{words})", re.IGNORECASE), letter) for letter, words in _HEMISPHERES),
    *(
        (re.compile(rf"{_GEOGRAPHIC}(?<![^\W\d_])(?:{words})(?![^\W\d_])", re.IGNORECASE), name)
        for name, words in _NAMES
    ),
    (
        re.compile(
            rf"\b(?:rx|gps|receiver|station|site|antenna|node|sensor)_(?={_LATITUDE}|{_LONGITUDE})", re.IGNORECASE
        ),
        "",
    ),
    (re.compile(rf"\b({_LATITUDE}|{_LONGITUDE})\s*[(\[]\s*(?:deg\w*|°|dd|decimal)\s*[)\]]", re.IGNORECASE), r"\1"),
)
_SPELLED = (
    # Not the letter of a hemisphere, which stands before it.
    (
        re.compile(r"(?<![A-Za-z])([NSEWnsew]\s?\d{1,3}\s?d\s?\d{1,2}\s?m\s?\d{1,2})(?:[.,](\d+))?\s?s(?![A-Za-z])"),
        r"\1.\2″",
    ),
    (re.compile(r"(?<=\d)\s*deg(?:rees?)?\b\.?", re.IGNORECASE), "°"),
    (re.compile(r"(?<=\d)\s*min(?:utes?)?\b\.?", re.IGNORECASE), "′"),
    (re.compile(r"(?<=\d)\s*sec(?:onds?)?\b\.?", re.IGNORECASE), "″"),
    (re.compile(r"\b([NS])o[ru]th\b|\b([EW])[ae]st\b", re.IGNORECASE), r"\1\2"),
    (re.compile(r"(?<![\d.,])(\d{1,7}),(\d+)(?=\s*[°º]?\s*[NSEWnsew](?![A-Za-z]))"), r"\1.\2"),
    (re.compile(rf"(?<=[°º′'’])(\s*\d{{1,2}}),(\d+){_NO_MORE}"), r"\1.\2"),
    (re.compile(r"(?<![A-Za-z])([NSEWnsew]\s*\d{1,7}),(\d+)(?!\d|[.,]\d)"), r"\1.\2"),
    (
        re.compile(
            rf"(?<![A-Za-z])([NSEWnsew]\s*\d{{1,3}}[°º:\s](?:\s*\d{{1,2}}[′'’:\s])?\s*\d{{1,2}}),(\d+){_NO_MORE}"
        ),
        r"\1.\2",
    ),
    (re.compile(r"(?<![\d.])(\d{1,3}\.\d{1,2}\.\d{1,2}),(\d+)(?=\s*[NSEWnsew](?![A-Za-z]))"), r"\1.\2"),
)
_SECONDS = r"(?:\s{0,2}\d{1,2}(?:[.,]\d+)?\s?(?:[\"″”]|''|′′|’’))?"
_MINUTES = rf"\s{{0,2}}\d{{1,2}}(?:[.,]\d+)?\s?['′’](?!['′’]){_SECONDS}"
_ANGLE = r"([-+]?)(\d{1,3}(?:[.,]\d+)?\s?(?:[°º]|deg(?:rees?)?\b)%s)(?!\s{0,2}(?:[\d°º'′’\"″”]|[NSEWO]\b))"
_NAMED_ANGLES = tuple(
    (
        re.compile(rf"\b{name}\.?['\"]?\s{{0,2}}[:=]?\s{{0,2}}['\"]?{_ANGLE % f'(?:{_MINUTES})?'}", re.IGNORECASE),
        letters,
    )
    for name, letters in ((_LATITUDE, "NS"), (_LONGITUDE, "EW"))
)
_SIGNED_ANGLES = re.compile(
    rf"(?<![\w.,°º'′’\"″”-])(?<![NSEWnsew]\s){_ANGLE % _MINUTES}[\s,;/]{{1,3}}{_ANGLE % _MINUTES}", re.IGNORECASE
)
_LONGITUDE_FIRST = re.compile(
    rf"(?<![^\W_])(?:lon(?:g|gitude)?|lng)[\s,;:/&|_()\[\]-]{{0,4}}(?:(?:and|und|et|y)\s)?{_LATITUDE}|\bgeojson\b",
    re.IGNORECASE,
)


def plain(text: str) -> str:
    """The same position in plainer words and signs."""
    for sign, plainer in _TYPED:
        text = sign.sub(plainer, text)
    text = _lettered(text)
    for sign, plainer in _SPELLED:
        text = sign.sub(plainer, text)
    return text


def says_longitude_first(text: str) -> bool:
    """Whether it names the two in this order, as GeoJSON has them."""
    return _LONGITUDE_FIRST.search(text) is not None


def _lettered(text: str) -> str:
    """Angles with the letter of their hemisphere where a name and a sign, or two signs, stand for it."""
    for written, letters in _NAMED_ANGLES:
        text = written.sub(partial(_named, letters), text)
    return text if says_longitude_first(text) else _SIGNED_ANGLES.sub(_signed, text)


def _named(letters: str, found: re.Match[str]) -> str:
    return f" {_with_letter(found[1], found[2], letters)}"


def _signed(found: re.Match[str]) -> str:
    return f"{_with_letter(found[1], found[2], 'NS')}, {_with_letter(found[3], found[4], 'EW')}"


def _with_letter(sign: str, angle: str, letters: str) -> str:
    return f"{angle} {letters[sign == '-']}"
