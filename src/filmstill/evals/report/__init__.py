"""The evaluation report: one HTML page that needs nothing else, and the same figures as files."""

from filmstill.evals.report.facts import ReportFacts
from filmstill.evals.report.write import write_report

__all__ = ["ReportFacts", "write_report"]
