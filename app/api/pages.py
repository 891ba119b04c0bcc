"""GET /: the page to try the models, with its files and with each model's report.

GET /models/NAME/card and /models/NAME/report/FILE: what training wrote beside the model.
"""

from pathlib import Path

from fastapi import APIRouter, HTTPException, Request, Response

from app.api.dependencies import ModelsDep
from app.api.static_files import STATIC, file_response
from app.state import state_of

# A picture that was fetched with an API key is shown from the browser's memory: a blob
PAGE_POLICY = (
    "default-src 'self'; img-src 'self' blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# An SVG that is opened by itself is a page; it has styles of its own, and needs nothing else
PICTURE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"

CARD, REPORT = "README.md", "report"
PICTURES = (".png", ".svg")

router = APIRouter(include_in_schema=False)


@router.get("/")
async def page(request: Request) -> Response:
    """The page itself."""
    return file_response(request, STATIC, "index.html", PAGE_POLICY)


@router.get("/page/{file}")
async def page_file(request: Request, file: str) -> Response:
    """A script, a style or the map's points."""
    return file_response(request, STATIC, file)


@router.get("/models/{name}/card")
async def card(request: Request, name: str, models: ModelsDep) -> Response:
    """The model card, in Markdown; it names the pictures of the report."""
    return file_response(request, _directory_of(request, models.get(name).name), CARD)


@router.get("/models/{name}/report/{file}")
async def picture(request: Request, name: str, file: str, models: ModelsDep) -> Response:
    """A picture of the report."""
    directory = _directory_of(request, models.get(name).name)
    if not file.endswith(PICTURES):
        raise HTTPException(404)
    return file_response(request, directory / REPORT, file, PICTURE_POLICY)


def _directory_of(request: Request, name: str) -> Path:
    """Where a loaded model is saved."""
    return state_of(request.app).models_directory / name
