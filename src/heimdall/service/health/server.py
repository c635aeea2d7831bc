"""`/health`, `/ready` and `/metrics` of a worker, on a port of their own, by the standard library's server in a thread."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from heimdall.errors import HeimdallError
from heimdall.service.about import about
from heimdall.service.health import metrics
from heimdall.service.health.monitor import Health

_Answer = tuple[int, str, bytes]


class HealthServer:
    def __init__(
        self, host: str, port: int, health: Health, sources: metrics.Sources, alive: Callable[[], bool]
    ) -> None:
        registry = metrics.registry_of(sources)
        routes: dict[str, Callable[[], _Answer]] = {
            "/health": lambda: _liveness(alive()),
            "/ready": lambda: _readiness(health),
            "/metrics": lambda: (200, metrics.CONTENT_TYPE, metrics.render(registry)),
        }
        try:
            self._server = ThreadingHTTPServer((host, port), _handler(routes))
        except OSError as error:
            raise HeimdallError(
                f"cannot serve health on {host}:{port} ({error.strerror}): set HEIMDALL_HEALTH_PORT to a free port"
            ) from None
        self._server.daemon_threads = True

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, name="health-server", daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _liveness(alive: bool) -> _Answer:
    return _document(200 if alive else 503, {"status": "ok" if alive else "stuck", **about()})


def _readiness(health: Health) -> _Answer:
    readiness = health.readiness()
    return _document(200 if readiness.ready else 503, readiness.document())


def _document(status: int, document: dict[str, Any]) -> _Answer:
    return status, "application/json", json.dumps(document).encode()


def _handler(routes: dict[str, Callable[[], _Answer]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 5.0

        def do_GET(self) -> None:
            route = routes.get(self.path.partition("?")[0])
            status, kind, body = route() if route else _document(404, {"detail": f"try {', '.join(routes)}"})
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Every few seconds somebody asks; that is no news."""

    return Handler
