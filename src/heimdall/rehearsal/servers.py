"""All receivers of a stage as servers on loopback."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from heimdall.capture.network.address import KIWI, RTL_TCP, Address
from heimdall.observation import Place
from heimdall.rehearsal.kiwi_server import KiwiServer
from heimdall.rehearsal.pace import Pace
from heimdall.rehearsal.rtl_server import RtlTcpServer
from heimdall.rehearsal.stage import Site, Stage

LOOPBACK = "127.0.0.0/8"


@dataclass(frozen=True)
class Played:
    """One receiver that is being served."""

    site: Site
    address: Address

    @property
    def place(self) -> Place | None:
        """What its operator has to say, since it does not say so itself."""
        return self.site.place if self.address.kind == RTL_TCP else None

    @property
    def command(self) -> str:
        """What adds it to a list."""
        position = ""
        if self.place is not None:
            place = self.place
            position = f" --position={place.latitude_deg:.6f},{place.longitude_deg:.6f},{place.height_m or 0:.0f}"
        return f"heimdall receivers add {self.address} --name {self.site.name}{position} --allow-network {LOOPBACK}"


@contextlib.asynccontextmanager
async def network(
    stage: Stage, kiwis: int, pace: Pace | None = None, first_port: int = 0
) -> AsyncIterator[tuple[Played, ...]]:
    """Serve the stage: the first `kiwis` receivers as KiwiSDRs, the others as dongles behind rtl_tcp.

    Ports count up from `first_port`; 0 takes free ones.
    """
    pace = pace or Pace()
    async with contextlib.AsyncExitStack() as stack:
        played = []
        for number, site in enumerate(stage.sites):
            port = first_port + number if first_port else 0
            server = KiwiServer(stage, site, pace) if number < kiwis else RtlTcpServer(stage, site, pace)
            await stack.enter_async_context(server.running(port))
            kind = KIWI if number < kiwis else RTL_TCP
            played.append(Played(site, Address(kind, "127.0.0.1", server.port)))
        yield tuple(played)
