"""How sure a lead is: from the gap between the two highest weights to a probability."""

import numpy as np
from sklearn.linear_model import LogisticRegression

from filmstill.evals.metrics import leading_matches
from filmstill.student.artefact import Confidence
from filmstill.weights import FloatArray


def fit_confidence(raw: FloatArray, decoded: FloatArray, reference: FloatArray) -> Confidence:
    """Fit the probability that the leading channel is right (Platt scaling, 1999).

    Args:
        raw: raw weights of the validation queries, `(n, c)`; they give the gap.
        decoded: their weights as shown, `(n, c)`; they give the leading channel.
        reference: the teacher's weights for them, `(n, c)`.

    Returns:
        The logistic curve over the gap; a flat one at the smoothed share of right leads where the
        queries are all right, all wrong, or show no rise with the gap.
    """
    right = leading_matches(decoded, reference)  # (n,)
    ordered = np.sort(raw, axis=1)
    gap = (ordered[:, -1] - ordered[:, -2])[:, None]  # (n, 1)
    if right.min() != right.max():
        curve = LogisticRegression().fit(gap, right)
        if curve.coef_[0, 0] > 0:
            return Confidence(float(curve.coef_[0, 0]), float(curve.intercept_[0]))
    share = (right.sum() + 1) / (len(right) + 2)  # Laplace's rule of succession
    return Confidence(0.0, float(np.log(share / (1 - share))))
