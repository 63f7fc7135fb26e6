"""A Keras model that learns scikit-learn's digits. Run it by hand, too: python train.py"""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
from sklearn.datasets import load_digits

import etude.core
from etude.adapters.keras import fit


def main() -> None:
    hyperparameters = {"filters": 8, "dropout": 0.1, "learning_rate": 0.003}
    with etude.core.init(hyperparameters, length={"epochs": 5}) as run:
        keras.utils.set_random_seed(run.trial_seed)
        raw = load_digits()
        order = np.random.default_rng(0).permutation(len(raw.target))
        images, labels = raw.images[order, :, :, None] / 16, raw.target[order]
        model = keras.Sequential(
            [
                keras.layers.Conv2D(run.get_hparam("filters"), 3, activation="relu"),
                keras.layers.Flatten(),
                keras.layers.Dropout(run.get_hparam("dropout")),
                keras.layers.Dense(10),
            ]
        )
        model.compile(
            optimizer=keras.optimizers.Adam(run.get_hparam("learning_rate")),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
        )
        fit(run, model, images[:1400], labels[:1400], validation_data=(images[1400:], labels[1400:]), batch_size=32)


if __name__ == "__main__":
    main()
