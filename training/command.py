"""The command that trains a saved model again."""

from models.saved_model.card import ModelCard


def training_arguments(card: ModelCard) -> list[str]:
    """Return the arguments of `python -m training` that train a model again."""
    return [
        card.recipe,
        f"--seed={card.seed}",
        f"--data={card.data.name}",
        f"--split={card.split.kind}",
        f"--split-seed={card.split.seed}",
    ]
