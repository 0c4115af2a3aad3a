"""Run the notebook and keep what it shows: `make notebook`, or with an output file for a try.

python notebooks/execute.py [OUTPUT.ipynb]
"""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parent / "distill_router.ipynb"
CELL_S = 1800


def execute() -> nbformat.NotebookNode:
    """The notebook with fresh outputs, run in its own folder.

    Raises:
        CellExecutionError: a cell failed.
    """
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=CELL_S,
        record_timing=False,  # or every run would change the file
        coalesce_streams=True,
        extra_arguments=["--log-level=ERROR"],  # or it warns of a port of this machine
        resources={"metadata": {"path": str(NOTEBOOK.parent)}},
    )
    client.execute()
    # What tells of this machine and not of the notebook.
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return notebook


if __name__ == "__main__":
    nbformat.write(execute(), Path(sys.argv[1]) if len(sys.argv) > 1 else NOTEBOOK)
