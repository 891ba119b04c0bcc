"""Variants of the champion that were not adopted.

Results are differences of RMSE (100,000 USD) on three random and four blocked splits inside the
training part of split 10, from single runs; .002 is noise.
"""

from training.recipes.recipe import Ablation

ABLATIONS = (
    Ablation(
        "coordinates (rotated) as additional inputs", "blocked between .006 better and .013 worse"
    ),
    Ablation("no masked views", "blocked .599, compared with .532 for a masked share of .3"),
    Ablation("a masked share of .5", "random .003 worse, blocked no better"),
    Ablation("dropout in every hidden layer", "random .05 worse"),
    Ablation("dropout of .5 in the last hidden layer", "same RMSE, intervals 17 % wider"),
    Ablation("local ridge regression on the neighbours", "between .001 better and .0015 worse"),
    Ablation(
        "additional means of the nearest 1, 2, 4, ..., 32 neighbours (215 inputs)",
        "random the same, blocked .005 worse, one row takes 1.5 times as long",
    ),
    Ablation(
        "five powers, up to 1 / distance^16",
        "random the same, blocked between .006 better and .006 worse",
    ),
    Ablation("three powers, without 1 / distance", "random the same, intervals 1 % wider"),
    Ablation(
        "differences from the row for one or two of the four powers only",
        "same RMSE, intervals 1 to 2 % wider",
    ),
    Ablation("half or twice the softening distance", "no difference"),
    Ablation("columns clipped at 5 standard deviations", "random .002 worse, blocked the same"),
    Ablation("piecewise-linear encoding of the columns", "between .003 better and .001 worse"),
    Ablation("128 neighbours by distance on the map only", ".0016 worse"),
    Ablation("256 neighbours", "no difference"),
    Ablation("64 neighbours", "random the same, blocked .006 worse"),
    Ablation(
        "hidden layers of 128, 160 or 256 units",
        "same RMSE; intervals 4 % wider, 2 % wider, 1 to 2 % narrower",
    ),
    Ablation("hidden layers of 192, 128 and 128 units", ".0005 worse, intervals 2 % wider"),
    Ablation("1 or 2 members", ".015 and .005 worse"),
    Ablation("two hidden layers", ".0011 worse, intervals 2 % wider"),
    Ablation("8 or 16 members, twice the learning rate", "no better"),
    Ablation("16 or 32 epochs", "random .0014 and .0009 worse; blocked .008 worse and .005 better"),
    Ablation("half or twice the dropout", "random .0012 and .0011 worse"),
    Ablation("a fourth reach", "same RMSE, blocked .005 worse, intervals 1 % narrower"),
    Ablation(
        "the average of mean and median as the prediction", "RMSE .0008 worse, MAE .0022 better"
    ),
)
