"""Length: an amount of training, in one of three units."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, model_serializer, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError


class Unit(StrEnum):
    """What a length is counted in."""

    BATCHES = "batches"
    EPOCHS = "epochs"
    RECORDS = "records"


class Length(BaseModel):
    """An amount of training; on the wire ``{"batches": 100}``. A bare integer is read as batches.

    >>> Length.model_validate({"epochs": 3})
    Length(unit=<Unit.EPOCHS: 'epochs'>, amount=3)
    >>> str(Length.batches(12))
    '12 batches'
    """

    model_config = ConfigDict(frozen=True)

    unit: Unit
    amount: Annotated[int, Field(ge=0, lt=2**63)]

    @classmethod
    def batches(cls, amount: int) -> Self:
        """A length of ``amount`` batches."""
        return cls(unit=Unit.BATCHES, amount=amount)

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: Any) -> Any:
        if isinstance(value, bool) or (isinstance(value, int) and value < 0):
            raise _bad(value)
        if isinstance(value, int):
            return {"unit": Unit.BATCHES, "amount": value}
        if isinstance(value, Mapping) and set(value) != {"unit", "amount"}:
            if len(value) != 1 or not set(value) <= {unit.value for unit in Unit}:
                raise _bad(value)
            [(unit, amount)] = value.items()
            if not isinstance(amount, int) or isinstance(amount, bool) or amount < 0:
                raise _bad(value)
            return {"unit": unit, "amount": amount}
        if not isinstance(value, (Mapping, Length)):
            raise _bad(value)
        return value

    @model_serializer
    def _write(self) -> dict[str, int]:
        return {self.unit.value: self.amount}

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        units = [
            {
                "type": "object",
                "properties": {unit.value: {"type": "integer", "minimum": 0}},
                "required": [unit.value],
                "additionalProperties": False,
            }
            for unit in Unit
        ]
        return {"title": "Length", "description": "An amount of training, in one unit.", "oneOf": units}

    def __str__(self) -> str:
        return f"{self.amount} {self.unit.value}"


def _bad(value: object) -> PydanticCustomError:
    return PydanticCustomError(
        "length",
        "expected a length such as {batches: 100}, {epochs: 10} or {records: 50000}, or a whole number of batches; "
        "got {value}",
        {"value": repr(value)},
    )
