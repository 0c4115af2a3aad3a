"""Distilling: from a file of labelled queries to a student's folder. Needs the `train` extra."""

from filmstill.errors import require

for _module in ("torch", "transformers", "onnx", "onnxscript", "sklearn"):
    require(_module, "train", "training a student")

from filmstill.student.train.loop import Progress, ProgressCallback  # noqa: E402
from filmstill.student.train.run import Distilled, distill  # noqa: E402 - after the check for the extra

__all__ = ["Distilled", "Progress", "ProgressCallback", "distill"]
