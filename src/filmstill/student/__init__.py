"""The small distilled model: its folder, its runtime and, apart, its training."""
