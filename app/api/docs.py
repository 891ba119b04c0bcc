"""GET /docs: Swagger UI, with every file of it from this service and none from another host.

GET /openapi.json: what it shows.
"""

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles

from app.api.static_files import STATIC, file_response
from app.http.etag import revalidated

# Swagger UI's icons are data
CONTENT_SECURITY_POLICY = "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'"


def add_docs(app: FastAPI) -> None:
    """Serve the page, its files and the document that it shows."""
    swagger_ui = StaticFiles(packages=[("fastapi_swagger", "resources")])
    app.mount("/docs/swagger-ui", swagger_ui)

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> Response:
        return file_response(request, STATIC, "docs.html", CONTENT_SECURITY_POLICY)

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi(request: Request) -> Response:
        return revalidated(request, JSONResponse(app.openapi()))
