"""The fit beside the mean head on 100 heads that nothing was learnt from."""

from __future__ import annotations

import pytest
from truth import BANDS, MAX_YAW, Truth, held_out_heads, measure_truth

from headviz.models.landmark_fit import LandmarkFit


@pytest.fixture(scope="module")
def measured(model: LandmarkFit) -> Truth:
    found = measure_truth(model)
    print(f"\n{'yaw':>10} {'heads':>6} {'fitted':>7} {'mean':>6} {'ratio':>6} {'expressed':>10} {'scores':>7}")
    for low, high in ((0, 90), *BANDS):
        values = [
            found.average(value, low, high)
            for value in (
                lambda r: r.fitted,
                lambda r: r.mean,
                lambda r: r.fitted_expressed,
                lambda r: r.mean_expressed,
            )
        ]
        print(
            f"{low:>4} to {high:>2}° {found.count(low, high):>6} {values[0]:>7.2f} {values[1]:>6.2f} "
            f"{values[0] / values[1]:>6.2f} {values[2]:>10.2f} {values[3]:>7.2f}"
        )
    print(f"failures: {found.failures}")
    return found


def test_nearly_every_head_is_found(measured: Truth) -> None:
    assert measured.failures <= 2
    assert len(measured.rows) + measured.failures == len(held_out_heads()) == 100


def test_the_fit_is_a_quarter_better_than_the_mean_head(measured: Truth) -> None:
    assert measured.average(lambda r: r.fitted) <= 0.75 * measured.average(lambda r: r.mean)


@pytest.mark.parametrize(("low", "high"), BANDS)
def test_the_fit_is_better_in_every_yaw_band(measured: Truth, low: int, high: int) -> None:
    assert measured.count(low, high) >= 10
    assert measured.average(lambda r: r.fitted, low, high) <= 0.85 * measured.average(lambda r: r.mean, low, high)


def test_with_its_expression_it_is_a_fifth_better_than_the_detectors_scores(measured: Truth) -> None:
    assert measured.average(lambda r: r.fitted_expressed) <= 0.8 * measured.average(lambda r: r.mean_expressed)


def test_most_single_heads_are_better(measured: Truth) -> None:
    better = sum(row.fitted < row.mean for row in measured.rows)
    assert better >= 0.75 * len(measured.rows)


def test_the_mean_head_is_as_far_off_as_people_differ(measured: Truth) -> None:
    # Millimetres; a smaller figure would mean that truth leaked into the baseline or the heads are all alike.
    assert 1.5 < measured.average(lambda r: r.mean) < 4.5
    assert max(abs(row.yaw) for row in measured.rows) <= MAX_YAW * 57.3 + 1e-3


def test_the_cards_figures_are_these(model: LandmarkFit, measured: Truth) -> None:
    # Other processors round differently, so detections move by fractions of a pixel.
    for figures, neutral, expressed in (
        (model.card.metrics, measured.average(lambda r: r.fitted), measured.average(lambda r: r.fitted_expressed)),
        (model.card.baseline, measured.average(lambda r: r.mean), measured.average(lambda r: r.mean_expressed)),
    ):
        assert figures["vertex error, neutral (mm)"] == pytest.approx(neutral, rel=0.03)
        assert figures["vertex error, with expression (mm)"] == pytest.approx(expressed, rel=0.03)
    assert model.card.metrics["pictures without a fit (of 100)"] == pytest.approx(measured.failures, abs=2)
