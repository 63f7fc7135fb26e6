"""Where a trial's processes run: how they are kept from the machine, in which image, with which limits."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

_MEMORY = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*([KMGTkmgt]?)(i?)B?\s*$")


def _memory(value: Any) -> Any:
    """Bytes of an amount with a unit.

    >>> _memory("1.5 GiB"), _memory("512MB"), _memory(100)
    (1610612736, 512000000, 100)
    """
    match = _MEMORY.match(value) if isinstance(value, str) else None
    if match is None:
        return value
    number, prefix, binary = match.groups()
    base = 1024 if binary else 1000
    return int(float(number) * base ** " KMGT".index(prefix.upper() or " "))


Memory = Annotated[int, Field(gt=0), BeforeValidator(_memory)]
"""Bytes; also such as ``4 GiB``."""


class BindMount(BaseModel):
    """A folder or file of the runner's machine that a container sees, if the runner allows it."""

    model_config = ConfigDict(frozen=True, extra="allow")

    host_path: Annotated[str, Field(pattern="^/")]
    container_path: Annotated[str, Field(min_length=1)]
    """A relative path is one in the model's folder."""
    read_only: bool = False


class Environment(BaseModel):
    """Isolation, image, limits and environment variables of a trial."""

    model_config = ConfigDict(frozen=True, extra="allow")

    environment_variables: list[str] | dict[str, list[str]] = []
    image: Annotated[str, Field(min_length=1)] | dict[str, str] | None = None
    """Of the container; also one for each kind of slot, ``cpu`` and ``cuda`` (or ``gpu``)."""
    force_pull_image: bool = False
    """Pull the image for each process, even if the runner has it."""
    memory_limit: Memory | None = None
    """Bytes that a trial's processes may hold together, on each runner; also such as ``4 GiB``."""
    isolation: Literal["process", "bubblewrap", "container"] = "process"
    """How trials are kept from the rest of the machine."""
    network: bool = True
    """May trials use the network? Only a sandbox or a container can keep them from it."""
    report_timeout: Annotated[float, Field(gt=0)] | None = None
    """Seconds after which a trial that reports nothing while it trains is taken to hang."""

    @model_validator(mode="after")
    def _sandbox_for_no_network(self) -> Self:
        if not self.network and self.isolation == "process":
            raise PydanticCustomError(
                "network",
                "network false needs isolation bubblewrap or container: a mere process cannot be kept from it",
                {},
            )
        return self

    @model_validator(mode="after")
    def _image_for_container(self) -> Self:
        if self.isolation == "container" and not self.image:
            raise PydanticCustomError(
                "image", "isolation container needs an image: one that has etude's trial runner and torch", {}
            )
        return self

    def image_for(self, kind: str) -> str | None:
        """The image for slots of ``kind`` (``cpu`` or ``cuda``)."""
        if not isinstance(self.image, dict):
            return self.image
        return self.image.get(kind) or (self.image.get("gpu") if kind == "cuda" else None)

    def variables(self, kind: str) -> dict[str, str]:
        """The variables for slots of ``kind`` (``cpu`` or ``cuda``)."""
        listed = self.environment_variables
        entries = listed if isinstance(listed, list) else listed.get(kind, [])
        parts = [entry.partition("=") for entry in entries]
        return {name: value for name, _, value in parts}
