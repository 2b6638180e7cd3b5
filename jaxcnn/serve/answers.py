"""What the server answers, typed: the schemas of its OpenAPI page."""

from typing import Any

from pydantic import BaseModel, Field

from jaxcnn.train.model import Card


class Problem(BaseModel):
    """What was wrong."""

    status: int = Field(examples=[415])
    message: str = Field(examples=["the Content-Type is 'text/plain'; expected a picture as the body ..."])


class ErrorAnswer(BaseModel):
    """Every answer that is no success."""

    error: Problem


class ClassProbability(BaseModel):
    """A class and its probability."""

    name: str = Field(serialization_alias="class", examples=["7"])
    index: int = Field(description="Of the class in the model's `classes`.", examples=[7])
    probability: float = Field(examples=[0.9934])


class PicturePredictions(BaseModel):
    """What the network says of a picture, the most probable class first."""

    picture: str | None = Field(description="The file's name, where it came with one.", examples=["seven.png"])
    predictions: list[ClassProbability]


class PredictAnswer(BaseModel):
    """Of each picture of the request, in their order."""

    pictures: list[PicturePredictions]


class ExplainAnswer(BaseModel):
    """Where in the picture the network sees what speaks for the class."""

    method: str = Field(examples=["gradcam"])
    name: str = Field(serialization_alias="class", examples=["7"])
    layer: str | None = Field(description="The one that was asked for; null is the last before the pooling.")
    heat: list[list[float]] = Field(description="Rows of values from 0 to 1, one for each pixel that the network sees.")
    overlay: str = Field(description="The heat over the picture, a PNG in base64.")


class FeatureMap(BaseModel):
    """One channel of a layer's output."""

    channel: int
    least: float = Field(description="The value that is black in the picture.")
    most: float = Field(description="The value that is white.")
    png: str = Field(description="A PNG in base64, one pixel for each place.")


class FeaturesAnswer(BaseModel):
    """What a layer makes of a picture."""

    layer: str = Field(examples=["conv1"])
    shape: list[int] = Field(description="Of its output: (height, width, channels), or (channels,).")
    maps: list[FeatureMap] = Field(description="Of the channels in their order, as many as were asked for.")


class LayerFacts(BaseModel):
    """A layer, or a block of layers."""

    path: str = Field(examples=["conv1"])
    shape: list[int] = Field(description="Of its output, without the batch.", examples=[[24, 24, 6]])
    kind: str | None = Field(description="null for a block.", examples=["Conv"])
    parameters: int | None
    multiply_adds: int | None


class ModelAnswer(BaseModel):
    """The model: what its model.json says, and its layers."""

    card: Card
    layers: list[LayerFacts]
    methods: list[str] = Field(description="Those that /explain has.")
    limits: dict[str, Any]


class HealthAnswer(BaseModel):
    """Whether the server answers (it does), and whether it computes."""

    live: bool
    ready: bool
    waiting: int = Field(description="Pictures and maps that wait for their turn.")
