"""GET /docs: Swagger UI, with every file of it from this service and none from another host."""

from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles

STATIC = Path(__file__).parents[1] / "static"
CONTENT_SECURITY_POLICY = "default-src 'self'; img-src 'self' data:"  # Swagger UI's icons are data


def add_docs(app: FastAPI) -> None:
    """Serve the page and its files."""
    swagger_ui = StaticFiles(packages=[("fastapi_swagger", "resources")])
    app.mount("/docs/swagger-ui", swagger_ui)
    app.mount("/docs/page", StaticFiles(directory=STATIC))

    @app.get("/docs", include_in_schema=False)
    async def docs() -> FileResponse:
        headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY}
        return FileResponse(STATIC / "docs.html", headers=headers)

    @app.get("/", include_in_schema=False)
    async def root() -> RedirectResponse:
        return RedirectResponse("docs")
