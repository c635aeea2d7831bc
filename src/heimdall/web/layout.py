"""What is around every page: name, navigation, who is signed in, light or dark."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from html import escape

from nicegui import ui

from heimdall import __version__
from heimdall.web.page_session import Visit

PAGES = {
    "Map": "/",
    "Record": "/record",
    "Receivers": "/receivers",
    "Transmitters": "/transmitters",
    "Training": "/training",
    "Models": "/models",
    "System": "/system",
}
_HEAD = f'<link rel="stylesheet" href="/static/page.css?v={__version__}"><script src="/static/theme.js?v={__version__}"></script>'


@contextmanager
def frame(visit: Visit, here: str) -> Iterator[None]:
    """The page named `here`; what is made inside becomes its content."""
    ui.page_title(f"{here} · Heimdall")
    ui.add_head_html(_HEAD)
    ui.query("body").classes("heimdall")
    ui.query("main.q-page").props("role=presentation")  # Quasar's: the page has a main of its own, without the bar
    ui.html('<a class="skip" href="#content">Skip to the content</a>', sanitize=False)
    with ui.element("header").classes("bar"):
        ui.html(
            '<a class="brand" href="/"><img src="/static/icon.svg" alt="" width="24" height="24"><span>Heimdall</span></a>',
            sanitize=False,
        )
        with ui.element("nav").props('aria-label="Pages"'):
            for name, path in PAGES.items():
                current = ' aria-current="page"' if name == here else ""
                ui.html(f'<a href="{path}"{current}>{name}</a>', sanitize=False)
        ui.space()
        _theme_button()
        _who(visit)
    with ui.element("main").props("id=content tabindex=-1").classes(f"page {here.lower()}"):
        ui.html(f'<h1 class="unseen">{here}</h1>', sanitize=False).classes("unseen")
        yield


def _theme_button() -> None:
    button = ui.button(icon="contrast").props('flat round dense aria-label="Light or dark"').classes("quiet")
    button.on("click", js_handler="() => heimdallTheme()")
    button.tooltip("Light or dark")


def _who(visit: Visit) -> None:
    person = ui.button(icon="person").props('flat round dense aria-label="Who is signed in"').classes("quiet")
    with person, ui.menu().props('role=dialog aria-label="Who is signed in"'), ui.element("div").classes("menu"):
        ui.label(visit.who.name).classes("strong")
        ui.label(f"role: {visit.who.role}").classes("muted")
        ui.html(
            '<form method="post" action="/sign-out"><button class="plain" type="submit">Sign out</button></form>',
            sanitize=False,
        )


@contextmanager
def panel(title: str, *, hint: str = "") -> Iterator[ui.element]:
    """A titled part of a page."""
    with ui.element("section").classes("panel") as section:
        if title:
            with ui.element("div").classes("panel-head"):
                ui.html(f"<h2>{escape(title)}</h2>", sanitize=False)
                if hint:
                    ui.label(hint).classes("muted")
        yield section


def empty(title: str, text: str) -> None:
    """What a part says that has nothing to show: what to do."""
    with ui.element("div").classes("empty"):
        ui.label(title).classes("strong")
        ui.label(text).classes("muted")
