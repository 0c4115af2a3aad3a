"""From the trained network to the quantised ONNX file, and the proof that both say the same."""

import errno
import logging
import os
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from filmstill.errors import TrainingError
from filmstill.files import replacing, storage_errors
from filmstill.student.runtime import Network
from filmstill.student.train.net import StudentNet
from filmstill.student.train.quantise import Rows, quantise
from filmstill.weights import FloatArray

FLOAT_TOLERANCE = 1e-4
"""Largest difference of a raw weight between the trained network and its float32 export."""
INT8_MEAN_TOLERANCE = 0.01
"""Mean difference of a raw weight between the trained network and the quantised export."""


_COPIES = 2  # of the float32 model that quantising writes beside it


@dataclass(frozen=True, slots=True)
class Parity:
    """How far the exported student is from the trained one, in units of weight.

    Attributes:
        queries: how many queries were compared.
        float_max: largest difference of the float32 export.
        int8_mean: mean difference of the quantised export.
        int8_max: its largest difference.
    """

    queries: int
    float_max: float
    int8_mean: float
    int8_max: float


class _Weigher(nn.Module):
    def __init__(self, net: StudentNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return torch.softmax(self.net(input_ids, attention_mask), dim=-1)


def export(
    net: StudentNet,
    target: Path,
    workshop: Path,
    *,
    tokenizer: Path,
    max_tokens: int,
    pad_id: int,
    calibration: Rows,
    queries: list[str],
    expected: FloatArray,
) -> tuple[FloatArray, Parity]:
    """Write the quantised network to `target` once it is shown to equal the trained one.

    Args:
        net: the trained network.
        target: the ONNX file to write.
        workshop: an existing folder for intermediate files.
        tokenizer: the student's tokenizer file.
        max_tokens: longest token sequence.
        pad_id: token id that fills up short queries.
        calibration: token ids of queries that the quantised network's ranges are measured on.
        queries: what to compare on.
        expected: the trained network's raw weights for them, `(n, n_channels)`.

    Returns:
        The quantised network's raw weights for the queries, `(n, n_channels)`, and how far both
        exports are from the trained network.

    Raises:
        TrainingError: an export differs by more than its tolerance; nothing is written.
        StorageError: the disk is full or a folder cannot be written to.
    """
    float_path, int8_path = workshop / "float.onnx", workshop / "int8.onnx"
    with storage_errors("write", workshop), _quiet():
        _to_onnx(net, float_path)
        # onnx writes its copies without looking whether the disk took them.
        if shutil.disk_usage(workshop).free < _COPIES * float_path.stat().st_size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        quantise(float_path, int8_path, calibration)
    float_raw, int8_raw = (
        Network(path, tokenizer, max_tokens=max_tokens, pad_id=pad_id).weights(queries)
        for path in (float_path, int8_path)
    )
    float_error, int8_error = np.abs(float_raw - expected), np.abs(int8_raw - expected)
    parity = Parity(
        len(queries), float(float_error.max()), float(int8_error.mean()), float(int8_error.max())
    )
    if parity.float_max > FLOAT_TOLERANCE or parity.int8_mean > INT8_MEAN_TOLERANCE:
        raise TrainingError(
            f"the exported student differs from the trained one: float32 by up to "
            f"{parity.float_max:.2g} (at most {FLOAT_TOLERANCE:g}), int8 by {parity.int8_mean:.2g} "
            f"on average (at most {INT8_MEAN_TOLERANCE:g}); the base model may not quantise well"
        )
    with replacing(target) as temporary:
        temporary.write_bytes(int8_path.read_bytes())
    return int8_raw, parity


def _to_onnx(net: StudentNet, path: Path) -> None:
    weigher = _Weigher(net).eval()
    # The other implementations are for graphics processors, and make graphs a tenth slower here.
    encoder: Any = net.encoder
    encoder.set_attn_implementation("eager")
    # Any sizes but 0 and 1 will do (the exporter takes those for constants), and some padding: for
    # a mask of ones alone, transformers leaves the mask out of the graph.
    ids = torch.ones((2, 8), dtype=torch.int64)
    mask = ids.clone()
    mask[1, 5:] = 0
    axes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("length", max=512)}
    program = torch.onnx.export(
        weigher,
        (ids, mask),
        input_names=["input_ids", "attention_mask"],
        output_names=["weights"],
        dynamic_shapes={"input_ids": axes, "attention_mask": axes},
        dynamo=True,
        verbose=False,
    )
    if program is None:
        raise TrainingError("the exporter made no ONNX program")
    model = program.model_proto
    # The exporter notes the Python line behind every node, with this machine's paths.
    for node in model.graph.node:
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output):
        value.ClearField("metadata_props")
    model.graph.ClearField("metadata_props")
    path.write_bytes(model.SerializeToString())


@contextmanager
def _quiet() -> Iterator[None]:
    """Hold back what the exporters log and warn about: nothing in it is for the user."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
