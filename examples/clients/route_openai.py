"""Route a query with OpenAI's client: every deployment is a model, and the answer is its label.

    export OPENAI_BASE_URL=http://127.0.0.1:8080/v1 OPENAI_API_KEY=any
    python examples/clients/route_openai.py "slow sad piano with rain outside" [DEPLOYMENT]

Without a deployment, the student that ships with Filmstill answers.
"""

import json
import sys

from openai import OpenAI


def main() -> None:
    """Ask twice: for the whole answer, and for one that is shown as it comes."""
    query, model = [*sys.argv[1:], "filmstill"][:2]
    with OpenAI() as client:
        answer = client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": query}]
        )
        routing = json.loads(answer.choices[0].message.content or "")
        print(json.dumps(routing, indent=2, ensure_ascii=False))

        events = client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": query}], stream=True
        )
        for event in events:
            print(event.choices[0].delta.content or "", end="", flush=True)
        print()


if __name__ == "__main__":
    main()
