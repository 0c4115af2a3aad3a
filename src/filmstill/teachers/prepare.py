"""Preparing a set: where its queries come from, who labels them, and what is written."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace

from filmstill.data.corpus import evaluation_of
from filmstill.data.reading import Reject, iter_examples, load_examples
from filmstill.data.sample import corpus_examples
from filmstill.errors import DataError, InputError, RoutingError
from filmstill.evals.noise import TeacherNoise
from filmstill.files import make_folder, only_one, write_text
from filmstill.models.chat import Prompt, is_model, open_model
from filmstill.models.journal import Journal, JournaledModel
from filmstill.models.limits import Budget, BudgetedModel, PacedModel, PatientModel, most_tokens
from filmstill.records import Example
from filmstill.router import Router
from filmstill.teachers.card import card_text
from filmstill.teachers.labelling import Asked, Unasked, ask_all, label_of
from filmstill.teachers.order import CORPUS, Order, Prepared, Watcher, journal_path
from filmstill.teachers.output import card_path, writing
from filmstill.teachers.teacher import TEMPERATURE, ChatTeacher, RouterTeacher, Teacher
from filmstill.teachers.writing import Written, write_queries


def prepare(order: Order, watcher: Watcher, stop: threading.Event) -> Prepared:
    """Prepare a set: queries from a file, a model or the corpus; labels; the files.

    A run that ends early leaves no file of the set, and a journal from which the next one goes on.

    Args:
        order: what to prepare.
        watcher: is told how it gets on.
        stop: set it to end after the calls under way.

    Raises:
        InputError: the order cannot be carried out as it stands.
        MissingExtraError: the library of a service is not installed.
        RoutingError, ServiceError, BudgetError: the queries could not all be written.
        StorageError: the disk is full, or a folder cannot be written to.
    """
    make_folder(order.out.parent)
    if not order.models:
        return _Run(order, None, watcher, stop).prepare()
    path = journal_path(order.out)
    with (
        only_one(path.with_name(f".{order.out.name}.lock"), order.out),
        closing(Journal(path)) as journal,
        closing(_Run(order, journal, watcher, stop)) as run,
    ):
        return run.prepare()


@dataclass
class _Run:
    """One run, with what its parts share."""

    order: Order
    journal: Journal | None
    watcher: Watcher
    stop: threading.Event
    budget: Budget = field(init=False)
    meters: list[BudgetedModel] = field(default_factory=list)

    def __post_init__(self) -> None:
        for address in self.order.models:
            if self.order.max_cost is not None and self.order.prices.of(address) is None:
                raise InputError(
                    f"{address} has no price in the table, so --max-cost cannot be kept: give its "
                    f"price with --prices FILE"
                )
        self.budget = Budget(self.order.max_cost, self._paid())

    def close(self) -> None:
        """Close the connections to services."""
        for model in self.meters:
            model.close()

    def _tokens(self) -> tuple[int, int]:
        """Tokens of all prompts and answers that the journal holds."""
        if self.journal is None:
            return 0, 0
        counts = [self.journal.tokens(model) for model in self.order.models]
        return sum(count[0] for count in counts), sum(count[1] for count in counts)

    def _paid(self) -> float:
        """US dollars for all that the journal holds."""
        if self.journal is None:
            return 0.0
        prices, journal = self.order.prices, self.journal
        costs = (prices.cost(model, *journal.tokens(model)) for model in self.order.models)
        return sum(cost or 0.0 for cost in costs)

    def prepare(self) -> Prepared:
        """See `prepare`."""
        order = self.order
        written: Written | None = None
        if order.queries is not None:
            source: Callable[[], Iterable[Example | Reject]] = self._file
        elif order.writer is not None:
            written = self._write(order.writer)
            source = lambda: written.examples  # noqa: E731
        else:
            corpus = [
                replace(example, tags={**example.tags, "teacher": CORPUS})
                for example in corpus_examples(order.task, order.config.count, order.config.seed)
            ]
            source = lambda: corpus  # noqa: E731
        asked = Asked()
        teacher = self._teacher() if order.label and order.teacher else None
        if isinstance(teacher, ChatTeacher) and not order.finish:
            if order.batch is not None:
                self._run_batch(teacher, source, order.batch)
            if not self.stop.is_set():
                asked = self._ask(teacher, source)
        unfinished = asked.stopped or asked.failed or self.stop.is_set()
        if unfinished and not order.finish:
            return self._result(pending=asked.failed, stopped=asked.stopped, written=written)
        return self._write_files(source, teacher, written)

    def _file(self) -> Iterator[Example | Reject]:
        if self.order.queries is None:  # never so where this is the source
            return iter(())
        return iter_examples(self.order.queries, self.order.task)

    def _model(self, address: str) -> JournaledModel:
        """A model that is asked patiently, not too fast, not too dearly, and nothing twice."""
        config = self.order.config
        model = open_model(
            address, timeout_s=config.timeout, connections=config.workers, retry=False
        )
        if self.journal is None:
            raise InputError("a model needs a journal")
        if self.order.finish:
            return JournaledModel(Unasked(address, model.place), self.journal)
        paced = PacedModel(
            model,
            self.stop,
            requests_per_minute=config.requests_per_minute,
            tokens_per_minute=config.tokens_per_minute,
        )
        meter = BudgetedModel(paced, self.budget, self.order.prices)
        self.meters.append(meter)
        return JournaledModel(PatientModel(meter, self.stop), self.journal)

    def _write(self, address: str) -> Written:
        order = self.order
        self.watcher.begin(f"{address} writes", len(order.slots))
        held_out = order.exclude or evaluation_of(order.task)
        forbidden = load_examples(held_out, order.task).examples if held_out else ()
        try:
            return write_queries(
                self._model(address),
                order.slots,
                order.task,
                forbidden=[example.query for example in forbidden],
                workers=order.config.workers,
                stop=self.stop,
                on_slot=lambda done: self.watcher.step(done, self.budget.spent),
            )
        except RoutingError as error:
            if not order.finish:
                raise
            raise InputError(
                "the queries are not all written yet, so --finish has nothing to write: run the "
                "same command without it"
            ) from error

    def _teacher(self) -> Teacher:
        address, config = str(self.order.teacher), self.order.config
        if is_model(address):
            temperature = TEMPERATURE if config.samples > 1 else 0.0
            return ChatTeacher(self._model(address), self.order.task, temperature=temperature)
        if config.samples > 1:
            raise InputError(f"{address} labels a query always alike: leave --samples at 1")
        return RouterTeacher(Router.load(address, task=self.order.task))

    def _run_batch(
        self, teacher: ChatTeacher, source: Callable[[], Iterable[Example | Reject]], place: str
    ) -> None:
        """Label in batch jobs; what they leave over is asked one by one afterwards."""
        from filmstill.models.bedrock_batch import BedrockBatch  # pulls in boto3

        model = teacher.model
        if not isinstance(model, JournaledModel):
            raise InputError("a batch needs a journal")

        def prompts() -> Iterator[Prompt]:
            samples = range(self.order.config.samples)
            queries = (item.query for item in source() if isinstance(item, Example))
            asked = (teacher.prompt(query, sample) for query in queries for sample in samples)
            return (prompt for prompt in asked if not model.knows(prompt))

        most = sum(
            self.order.prices.cost(model.address, most_tokens(prompt), prompt.max_tokens) or 0.0
            for prompt in prompts()
        )
        with self.budget.reserved(most):
            self.watcher.begin(f"{teacher.name}, batch", None)
            BedrockBatch(model, place, self.order.role).run(
                prompts(),
                self.stop,
                on_status=lambda status, done, total: self.watcher.step(done, self.budget.spent),
            )
            self.budget.spent = self._paid()

    def _ask(self, teacher: Teacher, source: Callable[[], Iterable[Example | Reject]]) -> Asked:
        samples = self.order.config.samples
        total = sum(isinstance(item, Example) for item in source()) * samples
        self.watcher.begin(f"{teacher.name} labels", total)
        return ask_all(
            teacher,
            (item.query for item in source() if isinstance(item, Example)),
            samples=samples,
            workers=self.order.config.workers,
            stop=self.stop,
            on_answer=lambda asked: self.watcher.step(
                asked.done + asked.failed, self.budget.spent, asked.rejected
            ),
        )

    def _write_files(
        self,
        source: Callable[[], Iterable[Example | Reject]],
        teacher: Teacher | None,
        written: Written | None,
    ) -> Prepared:
        order, samples = self.order, self.order.config.samples
        with writing(order.out, order.task, samples) as output:
            for item in source():
                if isinstance(item, Reject):
                    output.add_reject(item)
                elif teacher is not None:
                    label = label_of(teacher, item.query, samples=samples)
                    output.add_label(item, label, teacher.name)
                else:
                    output.add(item if order.label else replace(item, routing=None))
            if not output.examples:
                raise DataError(f"{order.out}: no query got a label, so nothing was written")
            write_text(
                card_path(order.out),
                card_text(order, output, written, self.budget.spent, self._tokens()),
            )
        return self._result(
            examples=output.examples,
            rejected=output.rejected,
            pending=output.pending,
            written=written,
            noise=output.noise,
        )

    def _result(
        self,
        *,
        examples: int = 0,
        rejected: int = 0,
        pending: int = 0,
        stopped: Exception | None = None,
        written: Written | None = None,
        noise: TeacherNoise | None = None,
    ) -> Prepared:
        calls = sum(meter.calls for meter in self.meters)
        return Prepared(
            examples, rejected, pending, stopped, self.budget.spent, calls, written, noise
        )
