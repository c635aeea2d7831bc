"""What the driver's management library answers: asked through nvidia-ml-py, else through nvidia-smi, in a subprocess."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from heimdall.doctor.facts.driver.versions import without_cuda
from heimdall.doctor.host import Host
from heimdall.doctor.program import ProgramOutput

OK = 0
NO_PERMISSION = 4
DRIVER_NOT_LOADED = 9
LIBRARY_NOT_FOUND = 12
GPU_IS_LOST = 15
RESET_REQUIRED = 16
OPERATING_SYSTEM = 17
MISMATCH = 18
UNKNOWN = 999

MEANING = {
    NO_PERMISSION: "no permission to open the device files",
    DRIVER_NOT_LOADED: "the kernel module does not answer",
    LIBRARY_NOT_FOUND: "libnvidia-ml.so.1 is not there",
    GPU_IS_LOST: "the GPU is lost",
    RESET_REQUIRED: "the GPU needs a reset",
    OPERATING_SYSTEM: "the operating system blocks the GPU",
    MISMATCH: "the library and the kernel module have different versions",
    UNKNOWN: "unknown error",
}
# nvidia-smi speaks no codes on its output; its sentences are stable.
SENTENCES = (
    (r"library version mismatch", MISMATCH),
    (r"couldn't communicate with the NVIDIA driver|Driver Not Loaded", DRIVER_NOT_LOADED),
    (r"couldn't find libnvidia-ml", LIBRARY_NOT_FOUND),
    (r"GPU is lost|device handle for GPU.*Unknown Error", GPU_IS_LOST),
    (r"requires (a )?reset|Reset Required", RESET_REQUIRED),
    (r"blocked by the operating system", OPERATING_SYSTEM),
    (r"Insufficient Permissions", NO_PERMISSION),
    (r"Unknown Error", UNKNOWN),
)
QUERY = ("name", "uuid", "memory.total", "compute_cap", "mig.mode.current", "driver_version")
PROBE = Path(__file__).parents[2] / "probes" / "ask_nvml.py"


@dataclass(frozen=True)
class Gpu:
    name: str
    uuid: str = ""
    memory_bytes: int | None = None
    capability: tuple[int, int] | None = None
    mig: bool = False
    mig_uuids: tuple[str, ...] = ()


@dataclass(frozen=True)
class Nvml:
    """`code` is NVML's own; None where nobody could be asked, and `message` says why.

    `refused` are the codes of cards that did not answer while others, in `gpus`, did.
    """

    code: int | None
    message: str
    source: str = ""
    library_version: str | None = None
    driver_version: str | None = None
    cuda_version: tuple[int, int] | None = None
    gpus: tuple[Gpu, ...] = ()
    refused: tuple[int, ...] = ()
    timed_out: bool = False

    @property
    def evidence(self) -> str:
        if self.code is None:
            return f"NVML: {self.message}"
        return f"NVML code {self.code} ({MEANING.get(self.code, self.message)}) from {self.source}"


def ask(host: Host, timeout_s: float = 10.0) -> Nvml:
    """nvidia-ml-py is asked only where the root is this machine: it would load this machine's library."""
    if host.live:
        answer = host.run([sys.executable or "python3", str(PROBE)], timeout_s)
        if answer.code == 0:
            return _from_probe(answer.stdout)
        if answer.code is None:
            return _silent(answer)
    return ask_nvidia_smi(host, timeout_s)


def ask_nvidia_smi(host: Host, timeout_s: float, prefix: tuple[str, ...] = ()) -> Nvml:
    """`prefix` puts another program before it, such as `docker exec NAME`."""
    query = f"--query-gpu={','.join(QUERY)}"
    answer = host.run([*prefix, "nvidia-smi", query, "--format=csv,noheader,nounits"], timeout_s)
    if answer.code is None:
        return _silent(answer)
    code = next((code for pattern, code in SENTENCES if re.search(pattern, answer.text, re.IGNORECASE)), None)
    if code is None and answer.code == 0 and not answer.stdout.strip():
        return Nvml(None, "nvidia-smi printed nothing")
    rows = _rows(answer.stdout)
    refused = (code,) if code in OF_ONE_CARD and rows else ()
    if (answer.code == 0 and code is None) or refused:
        gpus = tuple(_gpu_from_row(row) for row in rows) or _gpus_from_table(answer.stdout)
        if not gpus:
            return Nvml(None, "nvidia-smi printed no list of cards", "nvidia-smi")
        if any(gpu.mig for gpu in gpus):
            listed = host.run([*prefix, "nvidia-smi", "-L"], timeout_s)
            gpus = tuple(replace(gpu, mig_uuids=_instances(listed.stdout, gpu)) if gpu.mig else gpu for gpu in gpus)
        in_table = re.search(r"Driver Version:\s*([\d.]+)", answer.stdout)
        version = rows[0][5].strip() if rows else in_table.group(1) if in_table else None
        return Nvml(OK, "", "nvidia-smi", driver_version=version, gpus=gpus, refused=refused)
    library = re.search(r"NVML library version:\s*([\d.]+)", answer.text)
    message = (answer.text.splitlines() or [f"nvidia-smi exits with {answer.code}"])[0]
    if code is None and re.search(r"No devices were found", answer.text):
        code = OK
    return Nvml(code, message, "nvidia-smi", library.group(1) if library else None)


# What a single card can answer, with others beside it that are well.
OF_ONE_CARD = (GPU_IS_LOST, RESET_REQUIRED, UNKNOWN)
SILENT_CARD = re.compile(r"\[(?:GPU is lost|GPU requires reset|Unknown Error)\]", re.IGNORECASE)


def _rows(text: str) -> list[list[str]]:
    """The cards of a query that answered; a lost one has its fault in every cell."""
    lines = (line for line in text.splitlines() if not SILENT_CARD.search(line))
    return [line.split(", ") for line in lines if line.count(", ") == len(QUERY) - 1]


# What nvidia-smi prints unasked, and with -L: a person who saves its answer saves one of these.
TABLE_CARD = re.compile(
    r"^\|\s+\d+\s+(?P<name>\S.*?)\s+(?:On|Off|N/A|TCC|WDDM)\s*\|\s*[0-9A-Fa-f]{4,8}:[0-9A-Fa-f:.]+[^\n]*\n"
    r"(?:[^\n]*/\s*(?P<memory>\d+)MiB[^\n]*\n(?P<below>[^\n]*))?",
    re.MULTILINE,
)
LISTED_CARD = re.compile(r"^GPU \d+: (?P<name>.+?) \(UUID: (?P<uuid>GPU-[^)]+)\)", re.MULTILINE)


def _gpus_from_table(text: str) -> tuple[Gpu, ...]:
    """The cards of nvidia-smi's own table, or of its list (-L); empty where the text is neither."""
    listed = tuple(Gpu(card["name"], card["uuid"]) for card in LISTED_CARD.finditer(text))
    return listed or tuple(
        Gpu(
            card["name"],
            memory_bytes=int(card["memory"]) * 2**20 if card["memory"] else None,
            mig="Enabled" in (card["below"] or ""),
        )
        for card in TABLE_CARD.finditer(text)
    )


def _instances(listed: str, gpu: Gpu) -> tuple[str, ...]:
    """The MIG devices that `nvidia-smi -L` lists below a card."""
    below = re.search(rf"\(UUID: {re.escape(gpu.uuid)}\)(.*?)(?=^GPU \d|\Z)", listed, re.MULTILINE | re.DOTALL)
    return tuple(re.findall(r"UUID: (MIG-[^)\s]+)", below.group(1) if below else listed))


def _silent(answer: ProgramOutput) -> Nvml:
    return Nvml(None, answer.stderr, timed_out=answer.is_silent)


def _gpu_from_row(row: list[str]) -> Gpu:
    name, uuid, memory_mib, capability, mig, _ = (cell.strip() for cell in row)
    found = re.fullmatch(r"(\d+)\.(\d+)", capability)
    return Gpu(
        name,
        uuid,
        int(memory_mib) * 2**20 if memory_mib.isdigit() else None,
        (int(found.group(1)), int(found.group(2))) if found else None,
        mig == "Enabled",
    )


def _from_probe(text: str) -> Nvml:
    try:
        document = json.loads(text)
        gpus = tuple(
            Gpu(
                gpu["name"],
                gpu["uuid"],
                gpu["memory_bytes"],
                tuple(gpu["capability"]) if gpu["capability"] else None,
                gpu["mig"],
                tuple(gpu["mig_uuids"]),
            )
            for gpu in document["gpus"]
        )
        cuda = document.get("cuda")
        return Nvml(
            document["code"],
            document["message"],
            "nvidia-ml-py",
            without_cuda(document.get("library")),
            document.get("driver"),
            (cuda // 1000, cuda % 1000 // 10) if cuda else None,
            gpus,
            tuple(document.get("refused", ())),
        )
    except (ValueError, KeyError, TypeError) as error:
        return Nvml(None, f"unreadable answer: {error}")
