"""What is written beside a distilled model, to the byte."""

from pathlib import Path

from filmstill.jobs.artefacts import write_artefacts
from filmstill.jobs.objects import FolderObjects


def test_the_three_tables(tmp_path: Path) -> None:
    (tmp_path / "bucket").mkdir()
    write_artefacts(
        FolderObjects(tmp_path),
        "s3://bucket/out/model-customization-job-abc",
        source="s3://bucket/a, b.jsonl",
        accepted=44,
        rejected=3,
        steps=[(1, 1, 0.0), (2, 1, 0.6931471805599453), (3, 2, 1.3862943611198906)],
        history=[
            {"loss": 0.35, "validation_error": 0.125},
            {"loss": 1.4, "validation_error": 0.0625},
        ],
    )
    folder = tmp_path / "bucket" / "out" / "model-customization-job-abc"
    files = {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }
    # e to the 0, to the log of 2, to the log of 4
    assert files == {
        "training_artifacts/step_wise_training_metrics.csv": (
            "step_number,epoch_number,training_loss,perplexity\n"
            "1,1,0,1\n2,1,0.693147,2\n3,2,1.38629,4\n"
        ),
        "validation_artifacts/post_fine_tuning_validation/validation_metrics.csv": (
            "step_number,epoch_number,mean_absolute_error\n1,1,0.125\n2,2,0.0625\n"
        ),
        "input_data_report/manifest.report.csv": (
            "fileName,totalProcessedRecordCount,acceptedRecordCount,"
            "partiallyAcceptedRecordCount,rejectedRecordCount\n"
            '"s3://bucket/a, b.jsonl",47,44,0,3\n'
        ),
    }
