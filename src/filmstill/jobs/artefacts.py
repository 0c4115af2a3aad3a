"""What Bedrock writes to S3 beside a distilled model: metrics and a report on the data, as CSV."""

import csv
import io
import math
from collections.abc import Iterable, Sequence
from typing import Any

from filmstill.jobs.objects import Objects, below


def write_artefacts(
    objects: Objects,
    prefix: str,
    *,
    source: str,
    accepted: int,
    rejected: int,
    steps: Sequence[tuple[int, int, float]],
    history: Sequence[dict[str, float]],
) -> None:
    """Write metrics by step, metrics of validation by epoch, and what became of the records.

    Args:
        objects: where to.
        prefix: `s3://` prefix of the job.
        source: address of the training data.
        accepted: records that were learned from.
        rejected: records that could not be used.
        steps: step, epoch and mean training loss of that epoch so far.
        history: by epoch, its training loss and its error on the validation queries.

    Raises:
        InputError, ServiceError, StorageError: see `Objects.write`.
    """
    # As a cross-entropy in nats, a loss has its exponential as perplexity.
    training = [(step, epoch, loss, math.exp(loss)) for step, epoch, loss in steps]
    validation = [
        (number, number, row["validation_error"]) for number, row in enumerate(history, start=1)
    ]
    report = [(source, accepted + rejected, accepted, 0, rejected)]
    for name, header, rows in (
        (
            "training_artifacts/step_wise_training_metrics.csv",
            "step_number,epoch_number,training_loss,perplexity",
            training,
        ),
        (
            "validation_artifacts/post_fine_tuning_validation/validation_metrics.csv",
            # Bedrock writes a loss here; the student is chosen by its mean absolute error.
            "step_number,epoch_number,mean_absolute_error",
            validation,
        ),
        (
            "input_data_report/manifest.report.csv",
            "fileName,totalProcessedRecordCount,acceptedRecordCount,partiallyAcceptedRecordCount,"
            "rejectedRecordCount",
            report,
        ),
    ):
        objects.write(below(prefix, *name.split("/")), _csv(header, rows))


def _csv(header: str, rows: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header.split(","))
    writer.writerows(
        [f"{cell:.6g}" if isinstance(cell, float) else cell for cell in row] for row in rows
    )
    return text.getvalue().encode()
