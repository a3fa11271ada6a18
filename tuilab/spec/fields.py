"""Field types that preset files, the protocol and the store share."""

from typing import Annotated

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from tuilab.spec.errors import NotationError
from tuilab.spec.layers import Stack
from tuilab.spec.notation import format_stack, parse


class Value(BaseModel):
    """Base of all pydantic values: frozen, and extra keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The schema, with the string under each field as its description."""
        from tuilab.spec.field_docs import field_docs

        schema = handler(core_schema)
        properties = handler.resolve_ref_schema(schema).get("properties", {})
        for name, text in field_docs(cls).items():
            if name in properties:
                properties[name].setdefault("description", text)
        return schema


def _stack(value: object) -> object:
    if isinstance(value, str | int) and not isinstance(value, bool):
        try:
            return parse(str(value))
        except NotationError as error:
            raise ValueError(str(error)) from error
    if isinstance(value, tuple):
        return value
    raise ValueError("a stack is written as text, such as 4*(14 relu)")


StackField = Annotated[
    Stack,
    BeforeValidator(_stack),
    PlainSerializer(format_stack, return_type=str),
    WithJsonSchema({"type": "string", "description": "stack notation, such as 4*(14 relu)"}),
]
PositiveInt = Annotated[int, Field(ge=1, le=10**9)]
LearningRate = Annotated[float, Field(gt=0, le=100)]


def from_name(value: object) -> object:
    """A bare name ``adam`` as ``{"kind": "adam"}``, so that presets need not spell unions out."""
    return {"kind": value} if isinstance(value, str) else value
