"""python -m training.retrain: train every saved model again, in place, as its card says."""

import sys

from models import SAVED_MODELS
from models.saved_model.storage import MANIFEST, SavedModelError, load_model
from training.__main__ import main as train
from training.command import training_arguments
from training.options import fail


def main() -> int:
    """Retrain every saved model; return the exit status of the first failure, or 0."""
    for manifest in sorted(SAVED_MODELS.glob(f"*/{MANIFEST}")):
        directory = manifest.parent
        print(directory.name, file=sys.stderr)
        try:
            card = load_model(directory).card
        except SavedModelError as error:
            return fail("python -m training.retrain", error, 1)
        if status := train([*training_arguments(card), f"--output={directory}"]):
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main())
