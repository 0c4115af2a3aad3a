"""A float32 network made int8, with the ranges of its activations measured beforehand."""

from collections import defaultdict
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

_CONTRIB = "com.microsoft"  # onnxruntime's own operations

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
    model = onnx.load(target)
    _join_biases(model)
    onnx.save(model, target)


def _linear_layers(source: Path) -> list[str]:
    """Names of the products with weights; products of two activations stay float32."""
    graph = onnx.load(source).graph
    weights = {item.name for item in graph.initializer}
    return [
        node.name for node in graph.node if node.op_type == "MatMul" and node.input[1] in weights
    ]


def _join_biases(model: onnx.ModelProto) -> None:
    """Make one operation of every int8 product and the addition of its bias.

    onnxruntime does so by itself for ranges of each batch, and not for ranges that are given: it
    then writes the product to memory and reads it again, which is a twentieth of the time.
    """
    graph = model.graph
    makers = {name: node for node in graph.node for name in node.output}
    readers = defaultdict(list)
    for node in graph.node:
        for name in node.input:
            readers[name].append(node)
    vectors = {item.name for item in graph.initializer if len(item.dims) == 1}
    joined = []
    for node in graph.node:
        sides = [makers.get(name) for name in node.input]
        if node.op_type != "MatMul" or not all(
            side is not None and side.op_type == "DequantizeLinear" for side in sides
        ):
            continue
        left, right = (list(side.input) for side in sides if side is not None)
        inputs = [name for pair in zip(left, right, strict=True) for name in pair]
        (reader, *others) = readers[node.output[0]]
        bias = [name for name in reader.input if name in vectors]
        if reader.op_type == "Add" and bias and not others:
            inputs += bias
            node.output[0] = reader.output[0]
            joined.append(reader)
        node.op_type, node.domain = "MatMulIntegerToFloat", _CONTRIB
        del node.input[:]
        node.input.extend(inputs)
    for node in joined:
        graph.node.remove(node)
    used = {name for node in graph.node for name in node.input}
    for node in [node for node in graph.node if node.op_type == "DequantizeLinear"]:
        if node.output[0] not in used:
            graph.node.remove(node)
    if _CONTRIB not in [entry.domain for entry in model.opset_import]:
        model.opset_import.append(onnx.helper.make_opsetid(_CONTRIB, 1))


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, rows: Rows) -> None:
        self._rows = iter(rows)

    def get_next(self) -> dict[str, Any] | None:
        row = next(self._rows, None)
        if row is None:
            return None
        ids = np.array([row], dtype=np.int64)
        return {"input_ids": ids, "attention_mask": np.ones_like(ids)}
