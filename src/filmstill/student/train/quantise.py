"""A float32 network made int8, with the ranges of its activations measured beforehand."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)

CALIBRATION = 400
"""Queries that the ranges are measured on."""

Rows = Sequence[Sequence[int]]


def quantise(source: Path, target: Path, queries: Rows) -> None:
    """Write `source` with int8 embeddings, int8 linear layers and int8 inputs of these to `target`.

    The ranges of the inputs are those of the queries given here, not of each batch. That costs a
    little precision, and every query is answered alike whatever shares its batch.

    Args:
        source: ONNX file with inputs `input_ids` and `attention_mask`.
        target: the file to write; another one lies beside it for a moment.
        queries: token ids of queries like those that will be asked.
    """
    # Embeddings are only looked up: they keep all eight bits.
    looked_up = target.with_suffix(".embeddings.onnx")
    quantize_dynamic(source, looked_up, op_types_to_quantize=["Gather"])
    # Signed weights run twice as fast as unsigned ones; seven bits of them, since processors
    # without VNNI saturate when they add up pairs of full products and would answer differently; a
    # scale per output column makes up for the lost bit.
    quantize_static(
        looked_up,
        target,
        _Reader(queries),
        quant_format=QuantFormat.QDQ,
        nodes_to_quantize=_linear_layers(looked_up),
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        per_channel=True,
        reduce_range=True,
        extra_options={"OpTypesToExcludeOutputQuantization": ["MatMul"]},
    )
    looked_up.unlink()


def _linear_layers(source: Path) -> list[str]:
    """Names of the products with weights; products of two activations stay float32."""
    graph = onnx.load(source).graph
    weights = {item.name for item in graph.initializer}
    return [
        node.name for node in graph.node if node.op_type == "MatMul" and node.input[1] in weights
    ]


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, rows: Rows) -> None:
        self._rows = iter(rows)

    def get_next(self) -> dict[str, Any] | None:
        row = next(self._rows, None)
        if row is None:
            return None
        ids = np.array([row], dtype=np.int64)
        return {"input_ids": ids, "attention_mask": np.ones_like(ids)}
