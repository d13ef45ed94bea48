"""What-if questions and answers as JSON."""

from __future__ import annotations

from datetime import date

from pydantic import BaseModel, ConfigDict, Field

from gateway.model.tariff import Tariff
from gateway.model.whatif import Answer, Control, Question
from gateway.runtime.whatif import Asked


class WhatIfIn(BaseModel):
    """A question: what is left out stays as it is; energies and powers are added to what is there."""

    model_config = ConfigDict(extra="forbid")

    tariff: str | None = Field(None, max_length=100)
    """A file of config/tariffs without its ending."""
    pv_kwp: float = Field(0.0, ge=0, le=100)
    battery_kwh: float = Field(0.0, ge=0, le=200)
    battery_kw: float | None = Field(None, gt=0, le=100)
    ev_kwh_per_day: float = Field(0.0, ge=0, le=150)
    ev_kw: float = Field(11.0, ge=1.4, le=22)
    heat_pump_kw: float = Field(0.0, ge=0, le=20)
    days: int = Field(365, ge=28, le=400)
    control: Control = Control.PLAN

    def to_model(self, tariff: Tariff | None) -> Question:
        """The question itself, with the tariff that was named."""
        return Question(
            tariff, self.pv_kwp, self.battery_kwh, self.battery_kw, self.ev_kwh_per_day, ev_kw=self.ev_kw,
            heat_pump_kw=self.heat_pump_kw, control=self.control,
        )  # fmt: skip


class FlowsOut(BaseModel):
    """Energies of a replay, Wh."""

    model_config = ConfigDict(from_attributes=True)

    house_wh: float
    solar_wh: float
    import_wh: float
    export_wh: float
    charged_wh: float
    cars_wh: float
    heat_wh: float


class MonthOut(BaseModel):
    """A month's bills, micro-units."""

    model_config = ConfigDict(from_attributes=True)

    month: date
    now_micro: int
    then_micro: int


class AnswerOut(BaseModel):
    """Bills in micro-units; differences are then minus now."""

    days: float
    missing_share: float
    currency: str
    real_micro: int
    now_micro: int
    then_micro: int
    difference_micro: int
    low_micro: int
    high_micro: int
    year_micro: int
    gap_percent: float | None
    peak_now_w: float
    peak_then_w: float
    missed_departures: int
    cold_k_h: float
    flows_now: FlowsOut
    flows_then: FlowsOut
    months: list[MonthOut]
    notes: list[str]


class WhatIfOut(BaseModel):
    """How far the last question has come; `phase` is running, done, refused or cancelled."""

    number: int
    phase: str
    share: float
    days: int
    words: str
    answer: AnswerOut | None


def asked_out(asked: Asked) -> WhatIfOut:
    """The last question as JSON."""
    answer = None if asked.answer is None else answer_out(asked.answer)
    return WhatIfOut(
        number=asked.number, phase=asked.phase.value, share=round(asked.share, 3), days=asked.days, words=asked.words,
        answer=answer,
    )  # fmt: skip


def answer_out(answer: Answer) -> AnswerOut:
    """An answer as JSON."""
    return AnswerOut(
        days=answer.days,
        missing_share=round(answer.missing_share, 4),
        currency=answer.currency,
        real_micro=answer.real.micro,
        now_micro=answer.now.micro,
        then_micro=answer.then.micro,
        difference_micro=answer.micro,
        low_micro=answer.low_micro,
        high_micro=answer.high_micro,
        year_micro=answer.year_micro,
        gap_percent=None if answer.gap_percent is None else round(answer.gap_percent, 2),
        peak_now_w=round(answer.peak_now_w, 1),
        peak_then_w=round(answer.peak_then_w, 1),
        missed_departures=answer.missed_departures,
        cold_k_h=round(answer.cold_k_h, 1),
        flows_now=FlowsOut.model_validate(answer.flows_now),
        flows_then=FlowsOut.model_validate(answer.flows_then),
        months=[MonthOut.model_validate(month) for month in answer.months],
        notes=list(answer.notes),
    )
