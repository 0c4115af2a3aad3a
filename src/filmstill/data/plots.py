"""Pictures of a file of examples. Needs the `plot` extra."""

from pathlib import Path

from filmstill.data.description import Description
from filmstill.errors import InputError, require
from filmstill.files import replacing

FORMATS = (".svg", ".png")
_COLUMNS = 4


def plot_weights(description: Description, title: str, path: Path) -> None:
    """Draw one histogram of the weights per channel.

    Args:
        description: of a file with labels.
        title: stands above the picture.
        path: ends in .svg or .png, which chooses the format.

    Raises:
        InputError: another ending, or no labels to draw.
        MissingExtraError: matplotlib is not installed.
        StorageError: the file cannot be written.
    """
    if path.suffix.lower() not in FORMATS:
        raise InputError(f"{path}: a plot's name must end in {' or '.join(FORMATS)}")
    if not description.labelled:
        raise InputError("there are no labels to plot")
    require("matplotlib", "plot", "a plot")
    # The figure is made without pyplot, which would choose a window system and keep global state.
    from matplotlib.figure import Figure

    channels = list(description.histogram)
    columns = min(_COLUMNS, len(channels))
    rows = -(-len(channels) // columns)
    figure = Figure(figsize=(2.9 * columns, 2.6 * rows + 0.5), layout="constrained")
    figure.suptitle(title, fontsize=11)
    all_axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    width = 0.8 * (description.bins[1] - description.bins[0])
    for index, axes in enumerate(all_axes.flat):
        if index >= len(channels):
            axes.set_visible(False)
            continue
        name = channels[index]
        axes.bar(description.bins, description.histogram[name], width=width, color=f"C{index % 10}")
        axes.axvline(description.mean_weights[name], color="0.3", linewidth=1, linestyle="--")
        axes.set_title(f"{name} (mean {description.mean_weights[name]:.2f})", fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
        if index % columns == 0:
            axes.set_ylabel("labels", fontsize=9)
        if index + columns >= len(channels):
            axes.set_xlabel("weight", fontsize=9)
            axes.tick_params(labelbottom=True)
    with replacing(path) as temporary:
        figure.savefig(temporary, format=path.suffix.lower()[1:], dpi=150)
