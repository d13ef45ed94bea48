"""What the tables of every profile file have in common: words, factors, ranges, the source."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from adapters.profiles.words import mistake

Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


def _not_zero(factor: float) -> float:
    if factor == 0:
        raise mistake("a scale of 0 makes every value 0", "Write the factor to the quantity's unit, or leave it out.")
    return factor


def _in_order(ends: tuple[float, float]) -> tuple[float, float]:
    if not ends[0] < ends[1]:
        raise mistake(f"{ends[0]:g} is not below {ends[1]:g}", "Write [lowest, highest].")
    return ends


Scale = Annotated[float, AfterValidator(_not_zero), Field(json_schema_extra={"not": {"const": 0}})]
Range = Annotated[tuple[float, float], AfterValidator(_in_order)]


class Wire(BaseModel):
    """A table of the file; a key it does not know is a mistake, and so is a number that is none."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class SourceWire(Wire):
    """Where the table comes from."""

    manual: Words = Field(description="Title of the maker's document, or of the published table.")
    version: Words = Field(description="Its version.")
    page: Words = Field(description="Page, section or table.")
