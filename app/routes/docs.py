"""GET /docs: Swagger UI, with every file of it from this service and none from another host.

GET /openapi.json: what it shows.
"""

from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse, JSONResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles

from app.revalidation import revalidated

STATIC = Path(__file__).parents[1] / "static"
# Swagger UI's icons are data
CONTENT_SECURITY_POLICY = "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'"


def add_docs(app: FastAPI) -> None:
    """Serve the page, its files and the document that it shows."""
    swagger_ui = StaticFiles(packages=[("fastapi_swagger", "resources")])
    app.mount("/docs/swagger-ui", swagger_ui)
    app.mount("/docs/page", StaticFiles(directory=STATIC))

    @app.get("/docs", include_in_schema=False)
    async def docs() -> FileResponse:
        headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY}
        return FileResponse(STATIC / "docs.html", headers=headers)

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi(request: Request) -> Response:
        return revalidated(request, JSONResponse(app.openapi()))

    @app.get("/", include_in_schema=False)
    async def root() -> RedirectResponse:
        return RedirectResponse("docs")
