"""A recording in words, and its fix as the map draws it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np

from heimdall.formats.wording import frequency_text
from heimdall.service.database.tables import Job, StoredFix
from heimdall.service.queue import jobs
from heimdall.service.receivers.capture_view import CaptureView, PartView
from heimdall.web import words
from heimdall.web.map.evidence_grid import box_of
from heimdall.web.map.fix_view import Scene
from heimdall.web.page_session import sentence

_MARGIN = 1.15
_STAGES = {
    "asking": "asking the receivers",
    "waiting": "waiting for the next recording",
    "listening": "listening for the signal",
    "reference": "recording the reference",
    "recording": "recording",
    "synchronising": "setting the clocks by the reference",
    "done": "done",
}
_TONES = {"recording": "busy", "done": "good", "failed": "bad"}


def figures_html(job: Job, seen: CaptureView | None) -> str:
    figures = {"kind": job.kind}
    if seen is not None:
        figures |= {"stage": _STAGES.get(seen.stage, seen.stage), "recordings": f"{seen.recordings:,}"}
        if seen.listener:
            figures["listens"] = seen.listener
        if seen.next_utc is not None:
            figures["next"] = f"{seen.next_utc:%Y-%m-%d %H:%M:%S} UTC"
    if job.state in jobs.LEASED and job.eta_s is not None:
        figures["time left"] = words.duration_text(job.eta_s)
    items = "".join(f"<li><b>{escape(value)}</b><span>{escape(name)}</span></li>" for name, value in figures.items())
    return f'<ul class="figures">{items}</ul>'


def parts_html(parts: Sequence[PartView]) -> str:
    """Each receiver's part, or why it gave nothing."""
    if not parts:
        return ""
    head = "<tr><th>receiver</th><th>state</th><th>received</th><th>gave</th><th>remark</th></tr>"
    return (
        f'<div class="table"><table><thead>{head}</thead><tbody>{"".join(map(_part_row, parts))}</tbody></table></div>'
    )


def _part_row(part: PartView) -> str:
    remarks = " ".join(sentence(each) for each in [part.reason, *part.notes] if each)
    chip = f'<span class="chip {_TONES.get(part.state, "")}">{escape(part.state)}</span>'
    cells = [escape(part.name), chip, f"{part.seconds:.0f} s", escape(part.gave or "nothing yet"), escape(remarks)]
    if part.state in ("done", "failed") and part.gave is None:
        cells[3] = "nothing"
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def fix_title(fix: StoredFix) -> str:
    return f"Fix at {frequency_text(fix.frequency_hz)}"


def fix_scene(fix: StoredFix, parts: Sequence[PartView]) -> Scene:
    """Estimate, regions, and the receivers of the recording."""
    features = [_receiver(part, fix) for part in parts if part.latitude_deg is not None]
    for name, probability in (("region_95", 0.95), ("region_68", 0.68)):
        if (shape := fix.document.get(name)) is not None:
            features.append(_feature(shape, {"kind": "region", "probability": probability}))
    if fix.latitude_deg is not None:
        place = {"type": "Point", "coordinates": [fix.longitude_deg, fix.latitude_deg]}
        features.append(_feature(place, {"kind": "estimate"}))
    points = [each["geometry"]["coordinates"] for each in features if each["geometry"]["type"] == "Point"]
    bounds = box_of(np.array(points, dtype=float)[:, :2], _MARGIN).to_bounds() if points else None
    return {"features": features, "evidence": None, "bounds": bounds}


def _receiver(part: PartView, fix: StoredFix) -> dict[str, Any]:
    reports = {report["name"]: report for report in fix.document.get("receivers", [])}
    used = bool(reports.get(part.name, {}).get("used"))
    reason = part.reason or reports.get(part.name, {}).get("reason")
    title = part.name if used else f"{part.name}: not used, {reason or 'no reason given'}"
    place = {"type": "Point", "coordinates": [part.longitude_deg, part.latitude_deg]}
    return _feature(place, {"kind": "receiver", "name": part.name, "used": used, "title": title})


def _feature(geometry: dict[str, Any], properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Feature", "geometry": geometry, "properties": properties}
