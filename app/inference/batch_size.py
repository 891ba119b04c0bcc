"""How many rows to answer at a time, so that others have their turn every few milliseconds."""

from models.house_price import HousePriceModel

SLICE_SECONDS = 0.003
FIRST_SLICE, LARGEST_SLICE = 8, 16_384  # rows
FACTOR = 4.0


class AdaptiveBatchSize:
    """How many rows a slice may have: as many as a model answers in a few milliseconds.

    A multiple of so many; see `whole_batches`.
    """

    def __init__(self, multiple: int = 1) -> None:
        self.multiple = multiple
        self.rows = max(FIRST_SLICE, multiple)

    def learn(self, rows: int, seconds: float) -> None:
        """Adapt to how long a slice of some rows took the processor, by a factor of four at most.

        Of a slice that was not full only that it took too long: a few rows take more than their
        share.
        """
        if rows < self.rows and seconds <= SLICE_SECONDS:
            return
        in_time = rows * SLICE_SECONDS / max(seconds, 1e-9)
        learned = min(max(in_time, self.rows / FACTOR, 1.0), self.rows * FACTOR, LARGEST_SLICE)
        self.rows = max(int(learned) // self.multiple, 1) * self.multiple


def whole_batches(model: HousePriceModel) -> AdaptiveBatchSize:
    """A pace at which a row has the same answer, to the last bit, whoever stands beside it.

    Products of matrices round their last few rows in another way than the others, so each slice is
    filled up to whole batches of the network. That costs a few rows their answer more than once.
    """
    return AdaptiveBatchSize(model.network.rows_per_batch)
