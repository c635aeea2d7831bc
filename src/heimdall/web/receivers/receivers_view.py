"""Registered receivers, their check and their calibration, in words and tables."""

from __future__ import annotations

from html import escape

from heimdall.estimation.receivers.receiver_check import figures_of
from heimdall.observation import ClockClass
from heimdall.service.database.tables import RegisteredReceiver
from heimdall.service.receivers import registered, session_check
from heimdall.service.receivers.registered import Correction
from heimdall.service.receivers.session_calibration import Calibration
from heimdall.service.receivers.session_check import Checked, CheckedReceiver
from heimdall.web import words


def registered_html(row: RegisteredReceiver) -> str:
    clock = ClockClass.of(row.clock_sigma_s).value if row.clock_sigma_s is not None else "as its recordings say"
    correction = registered.correction_of(row)
    about = [f"{row.latitude_deg:.5f}, {row.longitude_deg:.5f}, {row.height_m:g} m", f"clock: {clock}"]
    chip = "" if correction is None else _correction_chip(correction)
    lines = [" · ".join(about), *([] if correction is None else [correction_text(correction)]), row.note]
    listed = "".join(f'<p class="muted">{escape(line)}</p>' for line in lines if line)
    return f'<span class="strong">{escape(row.name)}</span>{chip}{listed}'


def _correction_chip(correction: Correction) -> str:
    if correction.to_take_off().significant:
        return ' <span class="chip good">corrected</span>'
    return ' <span class="chip warn">corrected, not significant</span>'


def correction_text(correction: Correction) -> str:
    made = f", {correction.made_utc:%Y-%m-%d}" if correction.made_utc is not None else ""
    fitted = f" of {', '.join(correction.sessions.values())}" if correction.sessions else ""
    figures = correction.to_take_off().figures
    return f"{figures}; from {words.count(correction.observations, 'observation')}{fitted}{made}"


def check_html(found: Checked) -> str:
    """The same figures and words as `heimdall receivers check`."""
    names = ("receiver", "count", "late", "scatter", "level", "scatter", "not used", "suspicion")
    head = "".join(f"<th>{name}</th>" for name in names)
    rows = "".join(_checked_row(each) for each in found.receivers)
    looked_at = f"{found.checked} of {words.count(found.observations, 'observation')}"
    notes = "".join(f'<p class="muted">{escape(line)}</p>' for line in (looked_at, *found.unreadable))
    return f'{notes}<div class="table"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _checked_row(receiver: CheckedReceiver) -> str:
    cells = [receiver.name, *figures_of(session_check.plain(receiver))]
    chip = f'<span class="chip warn">{escape(receiver.suspicion)}</span>' if receiver.suspicion else ""
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + f"<td>{chip}</td></tr>"


def calibration_html(found: Calibration) -> str:
    names = ("receiver", "delay", "±", "level", "±", "scatter of the residuals", "beyond chance")
    head = f"<tr>{''.join(f'<th>{name}</th>' for name in names)}</tr>"
    rows = "".join(_calibrated_row(each.name, each.correction) for each in found.receivers)
    return f'<div class="table"><table><thead>{head}</thead><tbody>{rows}</tbody></table></div>'


def _calibrated_row(name: str, correction: Correction) -> str:
    delays = [each.delay_s for each in correction.residuals if each.delay_s is not None]
    levels = [each.level_db for each in correction.residuals if each.level_db is not None]
    scatter = [
        f"{1e6 * _scatter(delays):.3g} µs" if len(delays) > 1 else "",
        f"{_scatter(levels):.1f} dB" if len(levels) > 1 else "",
    ]
    cells = [
        name,
        "" if correction.delay_s is None else f"{_micro(correction.delay_s)} µs",
        "" if correction.delay_sigma_s is None else _micro(correction.delay_sigma_s),
        "" if correction.level_bias_db is None else f"{correction.level_bias_db:+.1f} dB",
        "" if correction.level_bias_sigma_db is None else f"{correction.level_bias_sigma_db:.1f}",
        ", ".join(each for each in scatter if each) or "one observation",
        "yes" if correction.to_take_off().significant else "not significant",
    ]
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"


def _scatter(values: list[float]) -> float:
    mean = sum(values) / len(values)
    return float((sum((value - mean) ** 2 for value in values) / (len(values) - 1)) ** 0.5)


def _micro(seconds: float | None) -> str:
    return f"{1e6 * (seconds or 0.0):.3g}"
