"""Large language models that answer a prompt: what routers, judges and teachers share."""

from filmstill.models.chat import ChatModel, Completion, Prompt, open_model

__all__ = ["ChatModel", "Completion", "Prompt", "open_model"]
