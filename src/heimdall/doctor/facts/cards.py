"""What a card is by its PCI device number: its generation, its compute capability, and the drivers that serve it.

The numbers of a chip stand in blocks, as the pci.ids list and the driver's own list of supported devices show them.
Sources: NVIDIA's "Supported GPUs" and "Open Linux Kernel Modules" chapters of the driver README, and its list of legacy GPUs.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Generation:
    """`first_branch` and `last_branch` are the driver branches that serve it; None: the current ones still do.

    The open kernel module needs the card's own system processor (GSP), which begins with Turing; from Blackwell on the
    proprietary module does not know the card any more.
    """

    name: str
    capability: tuple[int, int]
    first_branch: int
    last_branch: int | None = None
    can_open: bool = True
    needs_open: bool = False

    @property
    def capability_text(self) -> str:
        return ".".join(map(str, self.capability))

    def is_served_by(self, branch: int) -> bool:
        return self.first_branch <= branch <= (self.last_branch or branch)


def _old(name: str, capability: tuple[int, int], first: int, last: int) -> Generation:
    return Generation(name, capability, first, last, can_open=False)


TESLA = _old("Tesla (2006)", (1, 2), 100, 340)
FERMI = _old("Fermi", (2, 1), 256, 390)
KEPLER = _old("Kepler", (3, 5), 304, 470)
MAXWELL = _old("Maxwell", (5, 2), 334, 580)
MAXWELL_1 = _old("Maxwell", (5, 0), 334, 580)
PASCAL_DATA = _old("Pascal", (6, 0), 367, 580)
PASCAL = _old("Pascal", (6, 1), 367, 580)
VOLTA = _old("Volta", (7, 0), 384, 580)
TURING = Generation("Turing", (7, 5), 410)
AMPERE_DATA = Generation("Ampere", (8, 0), 450)
AMPERE = Generation("Ampere", (8, 6), 455)
ADA = Generation("Ada", (8, 9), 520)
HOPPER = Generation("Hopper", (9, 0), 515)
BLACKWELL_DATA = Generation("Blackwell", (10, 0), 560, needs_open=True)
BLACKWELL = Generation("Blackwell", (12, 0), 570, needs_open=True)
GENERATIONS = (
    TESLA, FERMI, KEPLER, MAXWELL_1, MAXWELL, PASCAL_DATA, PASCAL, VOLTA, TURING, AMPERE_DATA, AMPERE, ADA, HOPPER,
    BLACKWELL_DATA, BLACKWELL,
)  # fmt: skip
# First number of a block, last one, whose it is. Sorted; of two blocks that overlap the later one is the smaller.
BLOCKS: tuple[tuple[int, int, Generation], ...] = (
    (0x0190, 0x019F, TESLA),
    (0x0400, 0x06BF, TESLA),
    (0x06C0, 0x06DF, FERMI),
    (0x06E0, 0x0DBF, TESLA),
    (0x0DC0, 0x0F0F, FERMI),
    (0x0FC0, 0x103F, KEPLER),
    (0x1040, 0x109F, FERMI),
    (0x10C0, 0x10DF, TESLA),
    (0x1140, 0x117F, FERMI),
    (0x1180, 0x11FF, KEPLER),
    (0x1200, 0x127F, FERMI),
    (0x1280, 0x12BF, KEPLER),
    (0x1340, 0x13BF, MAXWELL_1),
    (0x13C0, 0x143F, MAXWELL),
    (0x15F0, 0x15FF, PASCAL_DATA),
    (0x1600, 0x17FF, MAXWELL),
    (0x1B00, 0x1D7F, PASCAL),
    (0x1D80, 0x1DFF, VOLTA),
    (0x1E00, 0x1FFF, TURING),
    (0x2080, 0x20FF, AMPERE_DATA),
    (0x2180, 0x21FF, TURING),
    (0x2200, 0x22FF, AMPERE),
    (0x2300, 0x237F, HOPPER),
    (0x2400, 0x25FF, AMPERE),
    (0x2680, 0x28FF, ADA),
    (0x2900, 0x29FF, BLACKWELL_DATA),
    (0x2B80, 0x2FFF, BLACKWELL),
    (0x3180, 0x31FF, BLACKWELL_DATA),
)


def generation(device: int | None) -> Generation | None:
    """None for a number that is not in the list: a newer card, or none."""
    if device is None:
        return None
    return next((owner for first, last, owner in BLOCKS if first <= device <= last), None)


def of_capability(capability: tuple[int, int]) -> Generation | None:
    """The generation a compute capability belongs to: the newest that is not above it."""
    known = [item for item in GENERATIONS if item.capability <= capability and item.capability[0] == capability[0]]
    return max(known, key=lambda item: item.capability) if known else None
