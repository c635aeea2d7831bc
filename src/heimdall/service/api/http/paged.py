"""Lists in pages: `limit` and `cursor`, and the address of the next page in `Link` (RFC 8288)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Query, Request, Response

from heimdall.service.database.paging import Page, Part

_Limit = Annotated[int | None, Query(ge=1, le=500, description="Most entries in one page; all entries if left out.")]
_Cursor = Annotated[
    str | None,
    Query(max_length=200, description="Where the page begins, taken from the `Link` header of the previous page."),
]


def _page(limit: _Limit = None, cursor: _Cursor = None) -> Page:
    return Page(limit, cursor)


UsesPage = Annotated[Page, Depends(_page)]


def link_next(request: Request, response: Response, part: Part[Any]) -> None:
    if part.next is not None:
        url = request.url.include_query_params(cursor=part.next)
        response.headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'
