"""A list that is looked at again: its rows stay the elements they were."""

from __future__ import annotations

from nicegui import ui

from heimdall.web.rows import Rows


class Label:
    def __init__(self) -> None:
        self.element = ui.label()
        self.shown: list[str] = []

    def show(self, state: tuple[str, str]) -> None:
        self.shown.append(state[1])
        self.element.set_text(state[1])


def test_a_row_stays_the_same_element_while_others_come_go_and_change(site):
    made: list[Label] = []

    def make() -> Label:
        made.append(Label())
        return made[-1]

    async def look(visitor):
        await visitor.open("/")
        with visitor.user:
            rows = Rows(make, key=lambda state: state[0])
            with ui.element("div") as whole:
                rows.build("list")

            def texts() -> list[str]:
                return [each.text for each in whole.descendants() if isinstance(each, ui.label)]

            rows.show([("a", "first"), ("b", "second")], ("Nothing", "Add one."))
            first, second = made
            rows.show([("c", "third"), ("b", "second"), ("a", "another")], ("Nothing", "Add one."))
            assert texts() == ["third", "second", "another"]
            assert (first.shown, second.shown) == (["first", "another"], ["second"])
            rows.show([("b", "second")], ("Nothing", "Add one."))
            assert texts() == ["second"]
            assert second.shown == ["second"]
            rows.show([], ("Nothing", "Add one."), below=lambda: ui.label("or that"))
            assert "second" not in texts()
            assert texts()[-1] == "or that"
            rows.show([("b", "back")], ("Nothing", "Add one."))
            assert texts() == ["back"]

    site.visit(look)
    assert len(made) == 4
