"""The training loss as a picture. Needs the `plot` extra."""

import csv
from pathlib import Path

from filmstill.errors import DataError, require
from filmstill.files import replacing, storage_errors


def draw_loss(table: Path, picture: Path) -> None:
    """Draw the loss by step from the table that a job wrote.

    Raises:
        DataError: it is not such a table.
        StorageError: a file cannot be read or written.
    """
    require("matplotlib", "plot", "a picture of the loss")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    try:
        with storage_errors("read", table), table.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        steps = [int(float(row["step_number"])) for row in rows]
        losses = [float(row["training_loss"]) for row in rows]
    except (KeyError, ValueError, TypeError, OverflowError, csv.Error) as error:
        raise DataError(f"{table}: not a table of training metrics ({error})") from error
    figure = Figure(figsize=(6.4, 3.2), layout="constrained")
    axes = figure.subplots()
    axes.plot(steps, losses, linewidth=1.5)
    axes.set_xlabel("step")
    axes.set_ylabel("training loss")
    axes.spines[["top", "right"]].set_visible(False)
    FigureCanvasAgg(figure)
    with replacing(picture) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
