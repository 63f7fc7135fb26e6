"""Boosted trees that learn scikit-learn's digits; a trial trains until it has so many trees. Run it by hand, too."""

from sklearn.datasets import load_digits
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.model_selection import train_test_split

import etude.core
from etude.adapters.sklearn import fit


def main() -> None:
    hyperparameters = {"learning_rate": 0.1, "max_depth": 3, "subsample": 0.8}
    with etude.core.init(hyperparameters, length={"epochs": 10}) as run:
        x, y = load_digits(return_X_y=True)
        x, x_validation, y, y_validation = train_test_split(x, y, test_size=0.2, random_state=0)
        model = GradientBoostingClassifier(
            learning_rate=run.get_hparam("learning_rate"),
            max_depth=run.get_hparam("max_depth"),
            subsample=run.get_hparam("subsample"),
            random_state=run.trial_seed,
        )
        scoring = ["accuracy", "neg_log_loss"]
        fit(run, model, x, y, validation_data=(x_validation, y_validation), scoring=scoring, grows="n_estimators")


if __name__ == "__main__":
    main()
