"""The ways to train, every choice of each on one page."""

from training.recipes.champion import CHAMPION
from training.recipes.notebook import NOTEBOOK
from training.recipes.recipe import Recipe

RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in (NOTEBOOK, CHAMPION)}
