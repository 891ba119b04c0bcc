"""The command that trained a model."""

from models.saved_model.card import ModelCard


def arguments_of(card: ModelCard) -> list[str]:
    """What `python -m training` must be given to train a model again, as its card says."""
    return [
        card.recipe,
        f"--seed={card.seed}",
        f"--data={card.data.name}",
        f"--split={card.split.kind}",
        f"--split-seed={card.split.seed}",
    ]
