"""GET /: the page to try the models, and its files under /page.

GET /models/NAME/card and /models/NAME/report/FILE serve files that training writes.
"""

from pathlib import Path

from fastapi import APIRouter, HTTPException, Request, Response

from app.api.dependencies import ModelsDep, StateDep
from app.http.etag import revalidated

STATIC = Path(__file__).parents[1] / "static"
CARD, REPORT = "README.md", "report"
PICTURES = (".png", ".svg")

PAGE_CSP = (
    "default-src 'self'; img-src 'self' blob:; "  # blob: pictures fetched with an API key
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# Opened by itself, an SVG is a page. It has inline styles and needs nothing else.
PICTURE_CSP = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"

MEDIA_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".bin": "application/octet-stream",
    ".md": "text/markdown",
    ".png": "image/png",
    ".svg": "image/svg+xml",
}
"""By suffix; Python's `mimetypes` depends on its version and on the system's files."""

router = APIRouter(include_in_schema=False)


@router.get("/")
async def page(request: Request) -> Response:
    """The page itself."""
    return file_response(request, STATIC, "index.html", csp=PAGE_CSP)


@router.get("/page/{file}")
async def page_file(request: Request, file: str) -> Response:
    """A script, a style sheet or the map's points."""
    return file_response(request, STATIC, file)


@router.get("/models/{name}/card")
async def card(request: Request, name: str, models: ModelsDep, state: StateDep) -> Response:
    """The model card, in Markdown; it refers to the pictures of the report."""
    return file_response(request, state.models_directory / models.get(name).name, CARD)


@router.get("/models/{name}/report/{file}")
async def picture(
    request: Request, name: str, file: str, models: ModelsDep, state: StateDep
) -> Response:
    """A picture of the report."""
    directory = state.models_directory / models.get(name).name / REPORT
    if not file.endswith(PICTURES):
        raise HTTPException(404)
    return file_response(request, directory, file, csp=PICTURE_CSP)


def file_response(
    request: Request, directory: Path, name: str, *, csp: str | None = None
) -> Response:
    """Return a small file of a directory with its ETag; raises HTTPException 404.

    Starlette's FileResponse never responds 304, and StaticFiles drops the CSP from its 304.
    """
    path = Path(name)
    if path.name != name or path.suffix not in MEDIA_TYPES:  # only a bare name of a known type
        raise HTTPException(404)
    try:
        content = (directory / name).read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        raise HTTPException(404) from error
    headers = {"Content-Security-Policy": csp} if csp else None
    media_type = MEDIA_TYPES[path.suffix]
    return revalidated(request, Response(content, headers=headers, media_type=media_type))
