"""The recipes: each holds all choices of one way to train."""

from training.recipes.champion import CHAMPION
from training.recipes.notebook import NOTEBOOK
from training.recipes.recipe import Recipe

RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in (NOTEBOOK, CHAMPION)}
