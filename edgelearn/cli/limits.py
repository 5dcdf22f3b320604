"""The limits that `edgelearn test` holds, and their report as JUnit XML."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgelearn.boards import UNIT_WORDS, Unit
from edgelearn.errors import EdgelearnError, NumbersError

if TYPE_CHECKING:
    from edgelearn.build.image import Image
    from edgelearn.cli.settings import Checks
    from edgelearn.plan import Plan
    from edgelearn.session import Outcome

NO_LABELS = "the model trains with mean squared error, which --max-loss limits"


@dataclass(frozen=True)
class Case:
    """One check: texts for people; `measured` and `bound` for machines; `broken` or
    `reason` say why there is nothing to compare."""

    name: str
    passed: bool
    value: str = ""
    limit: str = ""
    difference: str = ""
    measured: float | None = None
    bound: float | None = None
    broken: str = ""
    reason: str = ""

    @property
    def verdict(self) -> str:
        return "pass" if self.passed else "MISS"

    @property
    def message(self) -> str:
        """Value, limit and difference in one line."""
        return self.broken or self.reason or f"{self.value}, limit {self.limit}, difference {self.difference}"

    def to_json(self) -> dict[str, Any]:
        """For `--json`."""
        difference = None if self.measured is None or self.bound is None else self.measured - self.bound
        return {
            "name": self.name,
            "passed": self.passed,
            "value": self.measured,
            "limit": self.bound,
            "difference": difference,
            "error": self.broken or self.reason or None,
        }


def _at_most(name: str, value: int, limit: int, unit: str) -> Case:
    texts = (f"{value:,} {unit}", f"{limit:,}", f"{value - limit:+,}")
    return Case(name, value <= limit, *texts, measured=value, bound=limit)


def _error(name: str, value: float | None, limit: float) -> Case:
    if value is None:
        return Case(name, False, broken="nothing was compared")
    texts = (f"{value:.1e}", f"{limit:.0e}", f"{value - limit:+.1e}")
    return Case(name, value <= limit, *texts, measured=value, bound=limit)


def judge(checks: Checks, plan: Plan, image: Image, outcome: Outcome) -> list[Case]:
    """All checks of a run that came to its end. Sizes in `checks` are bytes."""
    from edgelearn.session.follower import losses_allowed, outputs_allowed

    cases = [
        _error("losses match the reference", outcome.loss_error, losses_allowed(plan)),
        _error("predictions match the reference", outcome.output_error, outputs_allowed(plan)),
    ]
    if checks.min_accuracy is not None:
        cases.append(_accuracy(checks.min_accuracy, outcome))
    if checks.max_loss is not None:
        cases.append(_loss(checks.max_loss, outcome))
    if checks.max_ram is not None:
        cases.append(_at_most("RAM", plan.ram, int(checks.max_ram), "bytes"))
    if checks.max_flash is not None:
        cases.append(_at_most("flash", image.flash.total, int(checks.max_flash), "bytes"))
    limit = checks.most(plan.board.unit)
    if limit is not None:
        cases.append(_spent(limit, outcome, plan.board.unit))
    return cases


def _spent(limit: int, outcome: Outcome, unit: Unit) -> Case:
    name = f"{unit} for a training sample"
    if outcome.spent_per_sample is None:
        return Case(name, False, broken=f"nobody counted {UNIT_WORDS[unit]}")
    return _at_most(name, outcome.spent_per_sample, limit, unit)


def _accuracy(limit: float, outcome: Outcome) -> Case:
    value = outcome.after.accuracy if outcome.after else None
    if value is None:
        return Case("held-out accuracy", False, "none", f"{limit:.4f}", broken=f"there is no accuracy: {NO_LABELS}")
    texts = (f"{value:.4f}", f"{limit:.4f}", f"{value - limit:+.4f}")
    return Case("held-out accuracy", value >= limit, *texts, measured=value, bound=limit)


def _loss(limit: float, outcome: Outcome) -> Case:
    # A loss that is not finite has no JSON number, and is worse than any limit.
    value = outcome.after.loss if outcome.after else math.inf
    if not math.isfinite(value):
        return Case("held-out loss", False, f"{value}", f"{limit:.4f}", reason=f"the loss is {value}")
    texts = (f"{value:.4f}", f"{limit:.4f}", f"{value - limit:+.4f}")
    return Case("held-out loss", value <= limit, *texts, measured=value, bound=limit)


def failed_case(error: EdgelearnError) -> Case:
    """A run that did not come to its end: numbers that are wrong are a failure, everything else is an error."""
    if isinstance(error, NumbersError):
        return Case("training", False, "wrong", reason=error.message)
    return Case("training", False, "broke off", broken=error.message)


def junit_xml(suite: str, cases: list[Case], seconds: float) -> str:
    """The results in the form that CI systems read."""
    broken = sum(1 for c in cases if c.broken)
    missed = sum(1 for c in cases if not c.passed and not c.broken)
    counts = {"tests": len(cases), "failures": missed, "errors": broken}
    attributes = {key: str(value) for key, value in counts.items()}
    root = ElementTree.Element("testsuites", attributes)
    element = ElementTree.SubElement(root, "testsuite", {"name": suite, **attributes, "time": f"{seconds:.3f}"})
    for k, case in enumerate(cases):
        # One run serves all checks: its time stands with the first.
        time = f"{seconds if k == 0 else 0:.3f}"
        item = ElementTree.SubElement(element, "testcase", {"classname": suite, "name": case.name, "time": time})
        if case.broken:
            ElementTree.SubElement(item, "error", {"message": case.broken}).text = case.broken
        elif not case.passed:
            ElementTree.SubElement(item, "failure", {"message": case.message}).text = case.message
        else:
            ElementTree.SubElement(item, "system-out").text = case.message
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"
