"""Predictions written as an engine makes them: a handler of pytorch-ignite, and so of MONAI's engines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from monai.data.utils import decollate_batch

from ..errors import DatasetError, PredictionError
from .writer import PredictionWriter

if TYPE_CHECKING:
    from ignite.engine import Engine


class SavePredictions:
    """Gives every prediction of an engine to a :class:`PredictionWriter`, at the end of each iteration.

        >>> SavePredictions(writer).attach(evaluator)                                       # doctest: +SKIP

    ``pred`` is the key of the engine's output, as MONAI's ``SupervisedEvaluator`` names it; an output without keys is
    the prediction itself. Postprocessing (``AsDiscreted``) belongs before it, in the engine's ``postprocessing``.
    Samples come from ``engine.state.batch``; batches that are not taken apart yet are decollated here.
    """

    def __init__(self, writer: PredictionWriter, *, pred: str = "pred") -> None:
        self.writer = writer
        self.pred = pred

    def attach(self, engine: Engine) -> None:
        """Write at the end of every iteration. Raises :class:`DatasetError` where pytorch-ignite is not installed."""
        try:
            from ignite.engine import Events
        except ImportError as error:
            raise DatasetError(
                "SavePredictions: pytorch-ignite is not installed; pip install pytorch-ignite"
            ) from error
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Write the predictions of one iteration. Raises :class:`PredictionError`."""
        samples, outputs = _apart(engine.state.batch), _apart(engine.state.output)
        if len(samples) != len(outputs):
            raise PredictionError(f"SavePredictions: {len(outputs)} predictions for {len(samples)} samples of a batch.")
        for sample, output in zip(samples, outputs, strict=True):
            if isinstance(output, Mapping) and self.pred not in output:
                found = " ".join(map(str, output))
                raise PredictionError(f"SavePredictions: the engine's output has no {self.pred!r}; it has {found}.")
            self.writer.write(output[self.pred] if isinstance(output, Mapping) else output, sample)


def _apart(batch: Any) -> Sequence[Any]:
    """A batch as a list of its samples."""
    found: Any = batch if isinstance(batch, list | tuple) else decollate_batch(batch)
    return found
