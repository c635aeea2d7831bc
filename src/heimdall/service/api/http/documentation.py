"""The API's document, and the page that shows it, from this machine alone: the service has to work with no network."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute
from fastapi.staticfiles import StaticFiles

from heimdall.service.api.http import problems
from heimdall.service.api.http.uploading import measurement_schemas

PATH = "/docs"
_ASSETS = "/docs-assets"


def operation_id(route: APIRoute) -> str:
    """What a generated client calls it: `jobs_create`."""
    return "_".join(dict.fromkeys([str(route.tags[0]).replace(" ", "_"), route.name])) if route.tags else route.name


def install(app: FastAPI) -> None:
    """Swagger UI as the package fastapi-offline carries it."""
    assert app.openapi_url is not None
    page = get_swagger_ui_html(
        openapi_url=app.openapi_url,
        title=f"{app.title} API",
        swagger_js_url=f"{_ASSETS}/swagger-ui-bundle.js",
        swagger_css_url=f"{_ASSETS}/swagger-ui.css",
        swagger_favicon_url=f"{_ASSETS}/favicon.png",
        oauth2_redirect_url=None,
        swagger_ui_parameters={"persistAuthorization": False, "docExpansion": "list", "validatorUrl": None},
    )
    router = APIRouter(include_in_schema=False)
    router.add_api_route(PATH, lambda: page, response_class=HTMLResponse, name="docs")
    app.include_router(router)
    app.mount(_ASSETS, StaticFiles(directory=str(files("fastapi_offline") / "static")), name="docs-assets")
    app.openapi = lambda: _document(app)  # type: ignore[method-assign]  # FastAPI's own way to change the document


def _document(app: FastAPI) -> dict[str, Any]:
    """FastAPI's document, with our shape of errors in place of its own."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, routes=app.routes, description="Locate transmitters; train networks."
        )
        schemas = document["components"]["schemas"]
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        schemas["Problem"] = problems.Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(measurement_schemas())
        app.openapi_schema = document
    return app.openapi_schema
