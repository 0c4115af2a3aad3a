"""The card of a student: what it is, for people who find the folder."""

from typing import Any

from filmstill.task import Task

_CARD = """\
# Filmstill student for {task}

Gives a search query one weight per channel, in steps of {step:g} that sum to 1.

| channel | weighs |
|---|---|
{channels}

## How it was made
- Base encoder: {base} (SHA-256 `{base_hash}`), fine-tuned end to end on soft labels, mean of the
  tokens and one linear layer; int8, ONNX. Its share of the weights is {share:g}; the rest is that
  of a linear model of word and character n-grams.
- {reading}
- Data: {examples:,} labelled examples with {distinct:,} distinct queries from `{file}`
  (SHA-256 `{data_hash}`), of which {validation:,} were held out; {rejected:,} lines were rejected.
- {epochs} epochs, the best was epoch {best}; seed {seed}; {seconds:,.0f} seconds in all.
{assistants}
## Scores on the held-out queries
| queries | rubric score (1 to 5) | leading channel | mean absolute error |
|---|---|---|---|
| {score_n:,} | {rubric:.2f} | {leading:.1%} | {error:.3f} |

The rubric score is the numeric part of the judge's rubric. These queries come from the same file
as the training queries, and they also chose the epoch and the decoder's sigma; on queries of
another kind the scores are lower.

## Limits
- Queries beyond {max_tokens} tokens are cut.
- Languages and kinds of query that the data does not hold are guesses; `confidence` tells how
  sure the leading channel is, as estimated on the held-out queries.
- It knows no more than its teacher, and repeats its teacher's mistakes.

## Use
```python
from filmstill import Router

router = Router.load("{{this folder}}")
print(router.route("a query", explain=True))
```
"""


_GLOSSARY = (
    "Queries in Arabic, Chinese, Dutch, French, German, Hindi, Italian, Japanese, Korean,\n"
    "  Portuguese, Russian and Spanish are read word by word through a glossary, as English."
)
_ASSISTED = (
    "- Half of what it learned is the mean of {count} other students, asked about the same\n"
    "  queries.\n"
)
_NO_GLOSSARY = "Queries are read as they are, in any language."


def card_text(task: Task, facts: dict[str, Any]) -> str:
    """The card as Markdown, from the facts of the manifest."""
    data, scores = facts["data"], facts["validation_scores"]
    return _CARD.format(
        task=task.name,
        step=task.grid_step,
        channels="\n".join(f"| `{item.name}` | {item.description} |" for item in task.channels),
        base=facts["base"]["name"],
        share=facts["model"]["share"],
        reading=_GLOSSARY if facts["config"]["glossary"] else _NO_GLOSSARY,
        base_hash=facts["base"]["sha256"],
        examples=data["examples"],
        distinct=data["distinct_queries"],
        file=data["file"],
        data_hash=data["sha256"],
        validation=data["validation"],
        rejected=data["rejected_lines"],
        epochs=facts["config"]["epochs"],
        best=facts["training"]["best_epoch"],
        seed=facts["config"]["seed"],
        seconds=facts["seconds"],
        assistants=_ASSISTED.format(count=len(facts["assistants"])) if facts["assistants"] else "",
        score_n=scores["queries"],
        rubric=scores["rubric"],
        leading=scores["leading"],
        error=scores["mean_absolute_error"],
        max_tokens=facts["model"]["max_tokens"],
    )
