"""A driver is offered only where there is one."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize("driver", ["nouveau", None])
def test_alpine_is_offered_no_driver_and_keeps_the_one_it_has(driver: str | None, grow: Any) -> None:
    tree = grow("alpine", "6.6.32-0-lts")
    tree.card(driver=driver)
    tree.write("/lib/modules/6.6.32-0-lts/kernel/x.ko")
    found = tree.report().findings[0]
    assert "NVIDIA has no driver for Alpine" in found.cause
    assert found.fix == ("# to use the card, install a distribution with glibc, such as Debian or Ubuntu",)
