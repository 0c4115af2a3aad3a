"""The training loop: soft cross-entropy, best epoch kept, resumable after every epoch."""

import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from filmstill.config import DistillConfig
from filmstill.student.train.batches import Encoded, epoch_batches, in_order
from filmstill.student.train.checkpoint import Checkpoint, save_checkpoint
from filmstill.student.train.net import StudentNet

HEAD_RATE = 5.0
"""The head starts from nothing, so it learns this many times faster than the encoder."""
WARM_UP = 0.1
WEIGHT_DECAY = 0.01
MAX_NORM = 1.0
_EVAL_BATCH = 64


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a training run stands.

    Attributes:
        epoch: the epoch under way, from 1.
        epochs: how many there will be.
        step: steps done in the whole run.
        steps: steps of the whole run.
        loss: mean training loss of the epoch so far.
        error: mean absolute error on the validation queries after the last finished epoch, or
            None before the first.
        eta_s: seconds to go at the present speed.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    error: float | None
    eta_s: float


ProgressCallback = Callable[[Progress], None]


def fit(
    net: StudentNet,
    training: Encoded,
    validation: Encoded,
    config: DistillConfig,
    *,
    start: Checkpoint | None,
    run: dict[str, object],
    state_path: Path,
    progress: ProgressCallback | None = None,
) -> Checkpoint:
    """Train, and leave the best epoch's weights in `net`.

    Args:
        net: changed in place.
        training: examples to learn from.
        validation: examples that choose the best epoch.
        config: the settings.
        start: go on from here; None starts anew.
        run: what the run was started with, kept in the checkpoint.
        state_path: file of the checkpoint, replaced after every epoch.
        progress: called after every step.

    Raises:
        StorageError: the checkpoint cannot be written.
    """
    epochs = config.epochs_for(len(training.rows))
    per_epoch = math.ceil(len(training.rows) / config.batch_size)
    optimizer = _optimizer(net, config.learning_rate)
    rate = torch.optim.lr_scheduler.LambdaLR(optimizer, _warm_up_then_down(epochs * per_epoch))
    mixed = has_fast_bfloat16()
    state = start
    if state is not None:
        net.load_state_dict(state.weights, strict=False)
        optimizer.load_state_dict(state.optimizer)
        rate.last_epoch = state.epoch * per_epoch
    began, done_before = time.monotonic(), (state.epoch if state else 0) * per_epoch
    for epoch in range(state.epoch + 1 if state else 1, epochs + 1):
        seed = config.seed * 1_000_003 + epoch
        torch.manual_seed(seed)  # dropout
        net.train()
        total = 0.0
        batches = epoch_batches(training.rows, config.batch_size, seed)
        for number, indices in enumerate(batches, start=1):
            ids, mask, labels = training.batch(indices)
            with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
                logits = net(ids, mask)
            loss = soft_cross_entropy(logits.float(), labels)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(net.parameters(), MAX_NORM)
            optimizer.step()
            rate.step()
            total += loss.item()
            if progress:
                step = (epoch - 1) * per_epoch + number
                pace = (time.monotonic() - began) / (step - done_before)
                error = state.history[-1]["validation_error"] if state else None
                left = (epochs * per_epoch - step) * pace
                progress(
                    Progress(epoch, epochs, step, epochs * per_epoch, total / number, error, left)
                )
        state = _after_epoch(net, optimizer, validation, state, run, epoch, total / len(batches))
        save_checkpoint(state, state_path)
    if state is None:
        raise ValueError("no epoch to train")
    net.load_state_dict(state.best_weights, strict=False)
    net.eval()
    return state


def predict(net: StudentNet, data: Encoded) -> Tensor:
    """Raw weights `(n, n_channels)` float32 of the network as it stands, without dropout."""
    net.eval()
    with torch.inference_mode():
        parts = []
        for indices in in_order(len(data.rows), _EVAL_BATCH):
            ids, mask, _ = data.batch(indices)
            parts.append(torch.softmax(net(ids, mask), dim=-1))
    return torch.cat(parts)


@contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """Let torch use so many threads inside the block; 0 takes all cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads or cores())
    try:
        yield
    finally:
        torch.set_num_threads(before)


def cores() -> int:
    """Cores this process may use, which in a container are fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def has_fast_bfloat16() -> bool:
    """Whether this processor multiplies matrices of bfloat16 in hardware, faster than float32."""
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("amx_bf16"))


def soft_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy against a distribution: mean over the batch of -sum(label * log softmax)."""
    return -(labels * torch.log_softmax(logits, dim=-1)).sum(dim=-1).mean()


def _after_epoch(
    net: StudentNet,
    optimizer: torch.optim.Optimizer,
    validation: Encoded,
    before: Checkpoint | None,
    run: dict[str, object],
    epoch: int,
    loss: float,
) -> Checkpoint:
    error = float((predict(net, validation) - validation.labels).abs().mean())
    weights = {name: value.detach().clone() for name, value in net.trainable().items()}
    history = [*(before.history if before else []), {"loss": loss, "validation_error": error}]
    if before is not None and before.best_error <= error:
        best = before.best_weights, before.best_epoch, before.best_error
    else:
        best = weights, epoch, error
    return Checkpoint(run, epoch, weights, optimizer.state_dict(), *best, history)


def _optimizer(net: StudentNet, learning_rate: float) -> torch.optim.Optimizer:
    head = list(net.head.parameters())
    encoder = [value for name, value in net.trainable().items() if not name.startswith("head.")]
    return torch.optim.AdamW(
        [
            {"params": encoder, "lr": learning_rate},
            {"params": head, "lr": learning_rate * HEAD_RATE},
        ],
        weight_decay=WEIGHT_DECAY,
        fused=True,
    )


def _warm_up_then_down(steps: int) -> Callable[[int], float]:
    warm = max(1, round(WARM_UP * steps))

    def factor(step: int) -> float:
        return (step + 1) / warm if step < warm else max(0.0, (steps - step) / (steps - warm + 1))

    return factor
