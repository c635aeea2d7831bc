"""The system: what the doctor finds with what to type, readiness, workers, versions, tokens."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from fastapi import Request
from nicegui import ui
from sqlalchemy import select

from heimdall.service.about import versions
from heimdall.service.api.routes.system import examine_here
from heimdall.service.auth import Role
from heimdall.service.database.tables import Worker
from heimdall.service.health.monitor import Readiness
from heimdall.service.queue import jobs
from heimdall.service.storage import retention
from heimdall.service.storage.retention import Amount, Usage
from heimdall.web import clipboard, words
from heimdall.web.layout import empty, frame, panel
from heimdall.web.page_session import Visit, arrive, sentence
from heimdall.web.sign_in import Entry, to_sign_in

_LOOK_EVERY_S = 5.0
_TONES = {"ok": "good", "warning": "warn", "fault": "bad", "degraded": "warn", "failed": "bad"}
_GRAVEST_FIRST = ("fault", "warning", "unknown", "ok")


def register(entry: Entry) -> None:
    @ui.page("/system")
    async def show(request: Request) -> object:
        visit = arrive(entry, request)
        if visit is None:
            return to_sign_in(request)
        page = SystemPage(visit)
        with frame(visit, "System"):
            page.build()
        ui.timer(0, page.examine, once=True)
        ui.timer(_LOOK_EVERY_S, page.look)
        return None


class SystemPage:
    def __init__(self, visit: Visit) -> None:
        self._visit = visit

    def build(self) -> None:
        with ui.element("div").classes("halves"):
            with panel("Service"):
                self._service = ui.html("", sanitize=False)
            with panel("Workers"):
                self._workers = ui.html("", sanitize=False)
        with panel("Storage", hint="of sessions"):
            self._storage = ui.html("", sanitize=False)
        with panel("Doctor", hint="what the command heimdall doctor finds where the page runs"):
            self._doctor = ui.element("div")
            with self._doctor:
                ui.label("Examining …").classes("muted")
        self._others = ui.element("div").classes("stack")
        with panel("Versions"):
            self._versions = ui.html("", sanitize=False)

    async def look(self) -> None:
        found = await self._visit.do(Role.VIEWER, self._find)
        if found is None:
            return
        workers, counts, usage = found
        self._service.set_content(service_html(self._visit.parts.health.readiness(), counts))
        self._workers.set_content(workers_html(workers))
        self._storage.set_content(storage_html(usage))
        self._versions.set_content(versions_html(workers))

    async def examine(self) -> None:
        await self.look()
        document = await self._visit.do(Role.VIEWER, examine_here)
        self._doctor.clear()
        with self._doctor:
            _show_findings(document or {})
        found = await self._visit.do(Role.VIEWER, self._find)
        self._others.clear()
        with self._others:
            for worker in found[0] if found is not None else []:
                if worker.doctor and worker.doctor.get("findings") != (document or {}).get("findings"):
                    with panel(f"Doctor on worker {worker.name}"):
                        _show_findings(worker.doctor)

    def _find(self) -> tuple[list[Worker], dict[str, int], Usage]:
        with self._visit.parts.store.reading() as session:
            workers = list(session.scalars(select(Worker).order_by(Worker.name)))
            return workers, jobs.count_by_state(session), retention.usage(session, self._visit.parts.settings)


def _show_findings(document: dict[str, Any]) -> None:
    findings = document.get("findings", [])
    reason = document.get("reason")
    if reason:
        verdict = str(document.get("verdict") or "").upper()
        ui.html(f'<p class="notice">{escape(verdict)}: {escape(sentence(str(reason)))}</p>', sanitize=False)
    if not findings:
        empty("No finding", "The doctor found no problem.")
    for finding in sorted(findings, key=_gravity):
        _show_finding(finding)


def _gravity(finding: dict[str, Any]) -> int:
    status = str(finding.get("status"))
    return _GRAVEST_FIRST.index(status) if status in _GRAVEST_FIRST else 0


def _show_finding(finding: dict[str, Any]) -> None:
    with ui.element("div").classes("finding"):
        ui.html(finding_html(finding), sanitize=False)
        if finding.get("status") == "ok":
            return
        _show_commands(finding.get("fix") or [])
        for way in finding.get("alternatives") or []:
            ui.label(sentence(f"or: {way.get('name')}")).classes("muted")
            _show_commands(way.get("fix") or [])


def _show_commands(lines: Sequence[object]) -> None:
    text = "\n".join(str(line) for line in lines)
    if text:
        with ui.element("div").classes("fix"):
            ui.html(f"<pre>{escape(text)}</pre>", sanitize=False).classes("grow")
            copy = ui.button(icon="content_copy", on_click=lambda: clipboard.copy(text))
            copy.props('flat round dense aria-label="Copy the commands"')


def finding_html(finding: dict[str, Any]) -> str:
    status = str(finding.get("status"))
    lines = [str(finding.get(name) or "") for name in ("evidence", "cause")]
    listed = "".join(f'<p class="muted">{escape(sentence(line))}</p>' for line in lines if line)
    name = escape(str(finding.get("name")))
    return f'<span class="strong">{name}</span> <span class="chip {_TONES.get(status, "")}">{escape(status)}</span>{listed}'


def service_html(readiness: Readiness, counts: dict[str, int]) -> str:
    state = '<span class="chip good">ready</span>' if readiness.ready else '<span class="chip bad">not ready</span>'
    rows = "".join(
        f'<tr><td>{escape(seen.name)}</td><td><span class="chip {_TONES.get(seen.status, "")}">{escape(seen.status)}</span></td>'
        f"<td>{escape(seen.detail)}</td></tr>"
        for seen in readiness.dependencies
    )
    queue = ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "no job"
    rows += f"<tr><td>queue</td><td></td><td>{escape(queue)}</td></tr>"
    return f'{state}<div class="table"><table><tbody>{rows}</tbody></table></div>'


def storage_html(usage: Usage) -> str:
    """What sessions take, and what is deleted by itself."""
    rows = {
        "sessions": _amount_text(usage.sessions),
        "recordings among them": _amount_text(usage.recordings),
        "recordings pinned or in use": _amount_text(usage.protected),
        "in the bin": f"{_amount_text(usage.bin)}; emptied after {usage.bin_days:g} days (HEIMDALL_BIN_DAYS)",
        "free on the disk": words.bytes_text(usage.free_bytes),
        "rule": _rule_text(usage),
    }
    listed = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in rows.items())
    return f'<dl class="facts">{listed}</dl><a href="/">Sessions and the bin</a>'


def _amount_text(amount: Amount) -> str:
    return f"{amount.count:,}, {words.bytes_text(amount.size_bytes)}"


def _rule_text(usage: Usage) -> str:
    limits = []
    if usage.keep_recordings_days is not None:
        limits.append(f"older than {usage.keep_recordings_days:g} days (HEIMDALL_KEEP_RECORDINGS_DAYS)")
    if usage.keep_recordings_gb is not None:
        limits.append(f"beyond {usage.keep_recordings_gb:g} GB in all, the oldest first (HEIMDALL_KEEP_RECORDINGS_GB)")
    if not limits:
        return "recordings are kept until somebody deletes them"
    return f"recordings go into the bin when {' or '.join(limits)}, unless they are pinned or in use"


def workers_html(workers: list[Worker]) -> str:
    if not workers:
        return '<p class="notice warn">No worker: jobs wait. Start one with <code>heimdall worker</code>.</p>'
    return "".join(_worker_html(worker) for worker in workers)


def versions_html(workers: list[Worker]) -> str:
    columns = {"here": versions(), **{worker.name: worker.versions for worker in workers}}
    names = dict.fromkeys(name for column in columns.values() for name in column)
    head = "<th></th>" + "".join(f"<th>{escape(name)}</th>" for name in columns)
    rows = "".join(
        f"<tr><td>{escape(name)}</td>"
        + "".join(f"<td>{escape(str(column.get(name) or '–'))}</td>" for column in columns.values())
        + "</tr>"
        for name in names
    )
    return f'<div class="table"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _worker_html(worker: Worker) -> str:
    device = f"{words.count(len(worker.devices), 'GPU')}, proved by a kernel" if worker.gpu_usable else "CPU"
    facts = {"device": device, "asked for": worker.accelerator, "seen": words.ago_text(worker.heartbeat_unix_s)}
    load = worker.load or {}
    if load.get("memory_total_bytes"):
        used, total = load["memory_used_bytes"], load["memory_total_bytes"]
        facts["memory"] = f"{words.bytes_text(used)} of {words.bytes_text(total)}"
        facts["load"] = f"{load['load_1min']:.1f} on {words.count(load['processors'], 'processor')}"
    for gpu in load.get("gpus", []):
        used, total = gpu["memory_used_bytes"], gpu["memory_total_bytes"]
        memory = f"{words.bytes_text(used)} of {words.bytes_text(total)}"
        facts[gpu["name"]] = f"{memory}, {100 * gpu['busy']:.0f} % busy, {gpu['temperature_c']} °C"
    why = f'<p class="warn-text">{escape(sentence(worker.gpu_reason))}</p>' if worker.gpu_reason else ""
    listed = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts.items())
    return f'<span class="strong">{escape(worker.name)}</span>{why}<dl class="facts">{listed}</dl>'
