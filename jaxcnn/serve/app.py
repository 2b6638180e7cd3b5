"""The application: what each address answers."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from enum import Enum
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi_offline import FastAPIOffline
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse
from starlette.staticfiles import StaticFiles

from jaxcnn import explain as explanations
from jaxcnn.data.pictures import be_silent
from jaxcnn.report.explained import METHODS
from jaxcnn.serve import drawing, guard, metrics, uploads
from jaxcnn.serve.answers import (
    ClassProbability,
    ErrorAnswer,
    ExplainAnswer,
    FeaturesAnswer,
    HealthAnswer,
    ModelAnswer,
    PicturePredictions,
    PredictAnswer,
)
from jaxcnn.serve.gate import Counted, Gate
from jaxcnn.serve.limits import Limits
from jaxcnn.serve.page import page, style
from jaxcnn.serve.refusal import Refusal, told
from jaxcnn.serve.service import Service
from jaxcnn.train.model import Model

STATIC = Path(__file__).parent / "static"
NPY = "application/x-npy"
TAKEN = {
    "requestBody": {
        "required": True,
        "content": {
            **{kind: {"schema": {"type": "string", "format": "binary"}} for kind in uploads.FORMATS.values()},
            uploads.FORM: {
                "schema": {
                    "type": "object",
                    "properties": {"picture": {"type": "array", "items": {"type": "string", "format": "binary"}}},
                }
            },
            uploads.JSON: {
                "schema": uploads.Pictures.model_json_schema(),
                "example": {"pictures": [drawing.in_base64(drawing.png(np.zeros((8, 8, 1), np.uint8)))]},
            },
        },
    }
}
_REFUSED = {
    400: "What came is no picture",
    408: "The body came too slowly",
    413: "The body, a picture, or their number is too large",
    415: "The Content-Type is none of those that are taken",
    422: "A parameter is not as it should be, or names what the network has not",
    429: "As many requests as there may be are at work; Retry-After says when to try again",
    504: "The answer was not there in time",
}
REFUSED: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorAnswer, "description": description} for status, description in _REFUSED.items()
}

PATHS = frozenset(
    ["/", "/predict", "/explain", "/features", "/preprocess", "/model", "/health", "/metrics", "/docs", "/openapi.json"]
)
ASKED: list[str | Enum] = ["the network, of a picture"]
TOLD: list[str | Enum] = ["the server, of itself"]

router = APIRouter()


async def _service(request: Request) -> Service:  # of another function FastAPI would ask a thread
    return request.app.state.service


Asked = Annotated[Service, Depends(_service)]
Preprocessed = Annotated[
    bool, Query(description="The picture is what the network sees, as /preprocess gives it: it is not cropped again.")
]


@router.post("/predict", tags=ASKED, responses=REFUSED, openapi_extra=TAKEN)
async def predict(
    request: Request,
    service: Asked,
    top: Annotated[int, Query(ge=1, description="How many classes to tell of each picture.")] = 5,
    preprocessed: Preprocessed = False,
    cover: Annotated[
        str | None,
        Query(
            pattern=r"^\d{1,6}(,\d{1,6}){3}$",
            description="TOP,LEFT,HEIGHT,WIDTH in pixels that the network sees: what lies there gets the mean colour.",
            examples=["0,0,4,4"],
        ),
    ] = None,
) -> PredictAnswer:
    """What is on pictures, with probabilities: of each, the most probable classes."""
    found = await service.pictures(request, preprocessed=preprocessed)
    images = np.stack([picture.pixels for picture in found])
    if cover is not None:
        window = [int(number) for number in cover.split(",")]
        images = np.stack([drawing.covered(image, window, service.model.card.mean) for image in images])
    answers = []
    for picture, p in zip(found, await service.probabilities(images), strict=True):
        order = (-p).argsort(kind="stable")[:top]
        named = [ClassProbability(name=service.classes[i], index=int(i), probability=float(p[i])) for i in order]
        answers.append(PicturePredictions(picture=picture.name, predictions=named))
    return PredictAnswer(pictures=answers)


@router.post(
    "/explain",
    tags=ASKED,
    response_model=ExplainAnswer,
    responses=REFUSED
    | {200: {"content": {"image/png": {}, NPY: {}}, "description": "The map, as `output` asks for it"}},
    openapi_extra=TAKEN,
)
async def explain(
    request: Request,
    service: Asked,
    method: Annotated[str, Query(json_schema_extra={"enum": list(METHODS)})] = "gradcam",
    name: Annotated[str | None, Query(alias="class", description="By its name; the most probable by default.")] = None,
    layer: Annotated[
        str | None, Query(description="For gradcam and gradcam++: its path; the last before the pooling by default.")
    ] = None,
    output: Annotated[
        Literal["json", "overlay", "npy"],
        Query(description="All in JSON; the heat over the picture, a PNG; or the heat, an array in NumPy's format."),
    ] = "json",
    preprocessed: Preprocessed = False,
) -> Any:
    """What in a picture speaks for a class."""
    picture = await service.picture(request, preprocessed=preprocessed)
    if name is None:
        index = int((await service.probabilities(picture.pixels[None]))[0].argmax())
    else:
        index = service.index(name)
    heat = await service.heat(picture.pixels, method, index, layer)
    if output == "npy":
        return _npy(heat)
    overlay = await service.in_thread(lambda: drawing.png(explanations.overlay(picture.pixels, heat)))
    if output == "overlay":
        return Response(overlay, media_type="image/png")
    return ExplainAnswer(
        method=method,
        name=service.classes[index],
        layer=layer,
        heat=heat.tolist(),
        overlay=drawing.in_base64(overlay),
    )


@router.post(
    "/features",
    tags=ASKED,
    response_model=FeaturesAnswer,
    responses=REFUSED | {200: {"content": {NPY: {}}, "description": "The output, as `output` asks for it"}},
    openapi_extra=TAKEN,
)
async def features(
    request: Request,
    service: Asked,
    layer: Annotated[str, Query(description="Its path, see /model.", examples=["conv1"])],
    channels: Annotated[int, Query(ge=1, le=4096, description="How many maps to draw at most.")] = 64,
    output: Annotated[
        Literal["json", "npy"], Query(description="Maps in JSON, or the whole output, an array in NumPy's format.")
    ] = "json",
    preprocessed: Preprocessed = False,
) -> Any:
    """What a layer, or a block, makes of a picture."""
    picture = await service.picture(request, preprocessed=preprocessed)
    found = await service.features(picture.pixels, layer)
    if output == "npy":
        return _npy(found)
    maps = await service.in_thread(drawing.feature_maps, found, channels)
    return FeaturesAnswer(layer=layer, shape=list(found.shape), maps=maps)


@router.post(
    "/preprocess",
    tags=ASKED,
    response_class=Response,
    responses=REFUSED | {200: {"content": {"image/png": {}}, "description": "A PNG"}},
    openapi_extra=TAKEN,
)
async def preprocess(request: Request, service: Asked) -> Response:
    """What the network sees of a picture: cropped, resized, in its channels."""
    picture = await service.picture(request, preprocessed=False)
    return Response(await service.in_thread(drawing.png, picture.pixels), media_type="image/png")


@router.get("/model", tags=TOLD)
async def model(service: Asked) -> ModelAnswer:
    """The model: what its model.json says, its layers, and the limits of this server."""
    card = replace(service.model.card, classes=tuple(service.classes))
    return ModelAnswer(card=card, layers=service.layers, methods=list(METHODS), limits=asdict(service.limits))


@router.get("/health", tags=TOLD, responses={503: {"model": HealthAnswer, "description": "It does not compute"}})
async def health(service: Asked, response: Response) -> HealthAnswer:
    """Whether the server answers, and whether it computes."""
    if not service.engine.ready:
        response.status_code = 503
    return HealthAnswer(live=True, ready=service.engine.ready, waiting=service.engine.waiting())


@router.get("/metrics", tags=TOLD, summary="Metrics", response_class=PlainTextResponse)
async def told_to_prometheus(request: Request, service: Asked) -> PlainTextResponse:
    """Requests, times, batches and what waits, in Prometheus's text format."""
    counted, engine = request.app.state.counted, service.engine
    waiting = metrics.Gauge("jaxcnn_waiting", "Pictures and maps that wait for their turn.", engine.waiting)
    at_work = metrics.Gauge(
        "jaxcnn_requests_at_work", "Requests with pictures that have no answer yet.", lambda: counted.at_work
    )
    text = metrics.text(counted.requests, counted.seconds, at_work, engine.batches, engine.seconds, waiting)
    return PlainTextResponse(text, media_type="text/plain; version=0.0.4")


@router.get("/", include_in_schema=False)
async def start(request: Request) -> HTMLResponse:
    return HTMLResponse(request.app.state.page)


@router.get("/style.css", include_in_schema=False)
async def style_sheet(request: Request) -> Response:
    return Response(request.app.state.style, media_type="text/css")


def create_app(
    model: Model, *, limits: Limits | None = None, host: str = "127.0.0.1", allowed: Collection[str] = ()
) -> FastAPI:
    """An ASGI application that answers what the model says. The network is compiled here.

    Args:
      model: as `load_model` gives it.
      limits: of requests.
      host: the name or address that the server is bound to; it, and if it is no loopback one any address, is answered.
      allowed: further names that are answered.

    Raises: what the network raises of pictures that it can't take.
    """
    limits = limits or Limits()
    be_silent()
    service = Service(model, limits)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        service.engine.start()
        yield
        await run_in_threadpool(service.stop)

    app = FastAPIOffline(
        redoc_url=None,
        title="jaxcnn serve",
        summary=f"{model.card.network}: what it says of pictures, and why.",
        version=model.card.jaxcnn,
        lifespan=lifespan,
        favicon_url="/static/icon.svg",
    )
    app.state.service, app.state.counted = service, Counted()
    app.state.page, app.state.style = page(service), style()
    app.include_router(router)
    app.mount("/static", StaticFiles(directory=STATIC))
    hosts, any_address = guard.hosts(host, allowed)
    app.add_middleware(guard.Guard, hosts=hosts, any_address=any_address)
    app.add_middleware(Gate, limits=limits, counted=app.state.counted, paths=PATHS)
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    return app


def _npy(array: np.ndarray) -> Response:
    file = BytesIO()
    np.save(file, array)
    return Response(file.getvalue(), media_type=NPY)


async def _refused(request: Request, error: Any) -> Response:
    return error.answer()


async def _http_error(request: Request, error: Any) -> Response:
    reason = HTTPStatus(error.status_code).phrase
    message = f"{request.method} {request.url.path!r:.80}: {reason}; /docs says what there is."
    return JSONResponse(told(error.status_code, message), error.status_code, error.headers)


async def _invalid(request: Request, error: Any) -> Response:
    first = error.errors()[0]
    seen = f" is {first['input']!r:.80}" if first["type"] != "missing" else ""
    return Refusal(422, f"{first['loc'][-1]}{seen}: {first['msg']}.").answer()
