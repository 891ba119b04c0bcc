"""GET /docs and GET /openapi.json: Swagger UI, which loads no file from another host."""

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles

from app.api.pages import STATIC, file_response
from app.http.etag import revalidated

# Swagger UI's icons are data: URLs.
DOCS_CSP = "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'"


def add_docs(app: FastAPI) -> None:
    """Add the page, Swagger UI's files, and the document that it shows."""
    swagger_ui = StaticFiles(packages=[("fastapi_swagger", "resources")])
    app.mount("/docs/swagger-ui", swagger_ui)

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> Response:
        return file_response(request, STATIC, "docs.html", csp=DOCS_CSP)

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi(request: Request) -> Response:
        return revalidated(request, JSONResponse(app.openapi()))
