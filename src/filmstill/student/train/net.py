"""The network that is trained: a pretrained sentence encoder, the mean of its tokens, one layer."""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel
from transformers.utils import logging as transformers_logging

from filmstill.errors import BaseModelError
from filmstill.student.base import BaseModel


class StudentNet(nn.Module):
    """Token ids in, one logit per channel out."""

    def __init__(self, encoder: nn.Module, hidden_size: int, n_channels: int) -> None:
        """Put a fresh head on an encoder."""
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(hidden_size, n_channels)
        nn.init.normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Logits `(n, n_channels)` float32.

        Args:
            input_ids: `(n, length)` int64.
            attention_mask: `(n, length)` int64, 1 where there is a token.
        """
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        mask = attention_mask.unsqueeze(-1).to(states.dtype)  # (n, length, 1)
        pooled = (states * mask).sum(dim=1) / mask.sum(dim=1)  # (n, hidden)
        logits: Tensor = self.head(pooled)
        return logits

    def trainable(self) -> dict[str, nn.Parameter]:
        """The parameters that training changes, by name."""
        return {name: value for name, value in self.named_parameters() if value.requires_grad}


def build_net(base: BaseModel, n_channels: int, dropout: float, seed: int) -> StudentNet:
    """A network with the base's weights and a head drawn from `seed`.

    The word embeddings are frozen: they are half of the weights, and a few thousand short queries
    move only the words they hold, away from the words they do not.

    Raises:
        BaseModelError: the folder does not hold an encoder that transformers can load.
    """
    torch.manual_seed(seed)
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        config = _with_dropout(AutoConfig.from_pretrained(base.folder), dropout)
        encoder = AutoModel.from_pretrained(base.folder, config=config, dtype=torch.float32)
    except Exception as error:  # safetensors and transformers have no common base for theirs
        raise BaseModelError(f"base model {base.folder}: cannot be loaded ({error})") from error
    finally:
        if bars:
            transformers_logging.enable_progress_bar()
    for parameter in encoder.get_input_embeddings().parameters():
        parameter.requires_grad = False
    pooler = getattr(encoder, "pooler", None)
    if pooler is not None:  # never used: the mean of the tokens is
        encoder.pooler = None
    return StudentNet(encoder, config.hidden_size, n_channels)


def pad_id_of(base: BaseModel) -> int:
    """Token id that fills up short sequences, as the base's configuration says.

    Raises:
        BaseModelError: the configuration cannot be read.
    """
    try:
        config = AutoConfig.from_pretrained(base.folder)
    except Exception as error:  # as below
        raise BaseModelError(f"base model {base.folder}: cannot be loaded ({error})") from error
    return int(getattr(config, "pad_token_id", 0) or 0)


def _with_dropout(config: Any, dropout: float) -> Any:  # noqa: ANN401 - any encoder's configuration
    for name in ("hidden_dropout_prob", "attention_probs_dropout_prob", "dropout"):
        if hasattr(config, name):
            setattr(config, name, dropout)
    return config
