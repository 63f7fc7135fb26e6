"""What questions of the API may say besides their path."""

from typing import Annotated

from fastapi import Query

Limit = Annotated[int, Query(ge=1, le=1000, description="The most items of a page.")]
Cursor = Annotated[str | None, Query(max_length=4000, description="`next_cursor` of the page before.")]
Number = Annotated[str | None, Query(pattern=r"^\d{1,18}$", description="`next_cursor` of the page before.")]
MaxPoints = Annotated[
    int, Query(ge=2, le=10_000, description="The most points of a curve; peaks are kept when others are left out.")
]
TrialNumber = Annotated[int | None, Query(ge=1, lt=2**31, description="Only what is about this trial.")]
