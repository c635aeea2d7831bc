"""What a job needs, what a worker offers, and whether the one can run the other.

The same question is asked in two ways that a test holds together: `fits` is the condition of the compare-and-set by which
a worker takes a job, `can` decides on rows already read, to tell people why a job waits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import ColumnElement, and_, func, not_, or_, select, true
from sqlalchemy.orm import Session

from heimdall.service.database.tables import Job, Worker, now_unix_s
from heimdall.service.hosting import how_to_start_a_worker
from heimdall.service.settings import Take

EVERYTHING: tuple[Take, ...] = ("gpu", "cpu", "capture")
ON_THE_CPU = ("evaluate", "export")
"""Kinds of job that never use a GPU, wherever they run."""
_THREE_ANNOUNCEMENTS_S = 30.0
Gigabytes = Annotated[float, Field(gt=0, le=1e6)]


class Needs(BaseModel):
    """What a worker must have to take the job. 1 GB is 10^9 bytes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    gpu: bool = Field(
        default=False, description="Wait for a worker with a usable GPU, however long; never run on the CPU."
    )
    gpu_memory_gb: Gigabytes | None = Field(
        default=None, description="Total memory that one GPU must have; implies that a GPU is needed."
    )
    memory_gb: Gigabytes | None = Field(default=None, description="Main memory that this job needs.")

    @property
    def any_gpu(self) -> bool:
        return self.gpu or self.gpu_memory_gb is not None


@dataclass(frozen=True)
class Offer:
    """What one worker has, or has left."""

    accelerator: str
    """For jobs that ask for none."""
    gpus_gb: tuple[float | None, ...] = ()
    """Memory of each usable GPU; None where it is not known."""
    memory_gb: float | None = None
    takes: tuple[str, ...] = EVERYTHING
    gpu_reason: str | None = None
    """Why it has no usable GPU."""
    has_device: bool = True
    """Has one for work that needs one, if only a processor: recordings run beside them, in places of their own."""


def offer_of(worker: Worker) -> Offer:
    """What a worker has to give, as it last told the database."""
    gpus = worker.gpu_memory_gb or [None] * max(1, len(worker.devices))
    return Offer(
        accelerator=worker.accelerator,
        gpus_gb=tuple(gpus) if worker.gpu_usable else (),
        memory_gb=worker.memory_gb,
        takes=tuple(worker.takes) if worker.takes is not None else ("gpu", "cpu"),
        gpu_reason=None if worker.gpu_usable else worker.gpu_reason,
    )


def living(session: Session, lease_s: float, *, but: str | None = None) -> list[Offer]:
    """Offers of the workers heard of within a lease, or within three announcements where a lease is shorter."""
    since = now_unix_s() - max(lease_s, _THREE_ANNOUNCEMENTS_S)
    query = select(Worker).where(Worker.heartbeat_unix_s > since, Worker.name != (but or ""))
    return [offer_of(worker) for worker in session.scalars(query)]


def fits(offer: Offer) -> ColumnElement[bool]:
    """True for the jobs that a worker with this offer may take."""
    never = not_(true())
    captures = Job.needs_capture if "capture" in offer.takes else never
    computes = and_(not_(Job.needs_capture), _fits_device(offer)) if offer.has_device else never
    return or_(captures, computes)


def _fits_device(offer: Offer) -> ColumnElement[bool]:
    requested = func.coalesce(Job.accelerator, offer.accelerator)
    conditions: list[ColumnElement[bool]] = [_enough(Job.needs_memory_gb, offer.memory_gb)]
    if offer.gpus_gb:
        largest_gb = max((known for known in offer.gpus_gb if known is not None), default=None)
        conditions.append(_enough(Job.needs_gpu_memory_gb, largest_gb))
    else:
        conditions.append(not_(Job.needs_gpu))
    if "gpu" not in offer.takes:
        conditions.append(requested != "gpu")
    if "cpu" not in offer.takes:
        conditions.append(requested != "cpu")
    return and_(true(), *conditions)


def leaves_gpu_free() -> ColumnElement[bool]:
    """True for the jobs that would hold a GPU for nothing."""
    return or_(Job.kind.in_(ON_THE_CPU), func.coalesce(Job.accelerator, "") == "cpu")


def better_elsewhere(others: Sequence[Offer], accelerator: str) -> ColumnElement[bool]:
    """For a worker without a GPU: true for the jobs that ask for one and that another worker has one for."""
    wanted = func.coalesce(Job.accelerator, accelerator) == "gpu"
    there = or_(not_(true()), *(fits(other) for other in others if other.gpus_gb))
    return and_(wanted, not_(leaves_gpu_free()), there)


def can(job: Job, offer: Offer) -> bool:
    if job.needs_capture:
        return "capture" in offer.takes
    return offer.has_device and _has_gpu(job, offer) and _has_memory(job, offer) and _takes(job, offer)


def count_stranded(session: Session, lease_s: float) -> int:
    """Queued jobs that no living worker can take."""
    some = or_(not_(true()), *(fits(offer) for offer in living(session, lease_s)))
    return session.scalar(select(func.count()).select_from(Job).where(Job.state == "queued", not_(some))) or 0


def why_waiting(job: Job, offers: Sequence[Offer]) -> str | None:
    """One line for people where a queued job waits for something that no living worker has; None where only for its turn."""
    if job.state != "queued" or any(can(job, offer) for offer in offers):
        return None
    if not offers:
        return f"waiting: no worker runs; {how_to_start_a_worker()}"
    return f"waiting: {_wish(job)}; {_lack(job, offers)}"


def _enough(needed: ColumnElement[float | None] | object, there_gb: float | None) -> ColumnElement[bool]:
    column: ColumnElement[float | None] = needed  # type: ignore[assignment]  # a mapped attribute is one in a query
    return column.is_(None) if there_gb is None else or_(column.is_(None), column <= there_gb)


def _has_gpu(job: Job, offer: Offer) -> bool:
    if not job.needs_gpu:
        return True
    needed_gb = job.needs_gpu_memory_gb
    return any(needed_gb is None or (there_gb is not None and needed_gb <= there_gb) for there_gb in offer.gpus_gb)


def _has_memory(job: Job, offer: Offer) -> bool:
    return job.needs_memory_gb is None or (offer.memory_gb is not None and job.needs_memory_gb <= offer.memory_gb)


def _takes(job: Job, offer: Offer) -> bool:
    requested = job.accelerator or offer.accelerator
    return requested == "auto" or requested in offer.takes


def _wish(job: Job) -> str:
    if job.needs_capture:
        return "records receivers"
    wishes = []
    if job.needs_gpu:
        wishes.append("a GPU" + (f" with {job.needs_gpu_memory_gb:g} GB" if job.needs_gpu_memory_gb else ""))
    if job.needs_memory_gb:
        wishes.append(f"{job.needs_memory_gb:g} GB of memory")
    return "needs " + " and ".join(wishes) if wishes else f"asks for {job.accelerator or 'a device'}"


def _lack(job: Job, offers: Sequence[Offer]) -> str:
    if job.needs_capture:
        return "no worker takes such jobs (HEIMDALL_TAKES)"
    if not any(_has_gpu(job, offer) for offer in offers):
        sizes = [size for offer in offers for size in offer.gpus_gb]
        reasons = dict.fromkeys(offer.gpu_reason for offer in offers if offer.gpu_reason)
        return "no worker has one" + _most([size for size in sizes if size is not None], len(sizes)) + _because(reasons)
    if not any(_has_memory(job, offer) for offer in offers):
        sizes = [offer.memory_gb for offer in offers]
        return "no worker has so much" + _most([size for size in sizes if size is not None], len(sizes))
    if not any(_takes(job, offer) for offer in offers):
        return "no worker takes such jobs (HEIMDALL_TAKES)"
    return "no worker has all of it"


def _because(reasons: Iterable[str]) -> str:
    told = "; ".join(reasons)
    return f": {told}" if told else ""


def _most(known_gb: Sequence[float], count: int) -> str:
    if not count:
        return ""
    return f" (the largest has {max(known_gb):.3g} GB)" if known_gb else " (how much they have is not known)"
