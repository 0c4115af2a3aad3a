"""Large language models that answer a prompt: what routers, judges and teachers share."""

from filmstill.models.chat import ChatModel, Completion, open_model

__all__ = ["ChatModel", "Completion", "open_model"]
