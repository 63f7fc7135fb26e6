"""A small vision transformer that learns scikit-learn's digits. Run it by hand, too: python train.py"""

import tempfile
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from transformers import EvalPrediction, Trainer, TrainingArguments, ViTConfig, ViTForImageClassification, set_seed

import etude.core
from etude.adapters.transformers import train


def digits() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Training and validation rows; the same split every time."""
    raw = load_digits()
    images = torch.tensor(raw.images, dtype=torch.float32).unsqueeze(1) / 16
    rows = [{"pixel_values": image, "labels": int(label)} for image, label in zip(images, raw.target, strict=True)]
    order = np.random.default_rng(0).permutation(len(rows))
    return [rows[n] for n in order[:1400]], [rows[n] for n in order[1400:]]


def accuracy(prediction: EvalPrediction) -> dict[str, float]:
    return {"accuracy": float((prediction.predictions.argmax(-1) == prediction.label_ids).mean())}


def main() -> None:
    hyperparameters = {"width": 32, "layers": 2, "learning_rate": 0.003, "warmup": 0.1}
    with etude.core.init(hyperparameters, length=100) as run:
        set_seed(run.trial_seed)
        width = run.get_hparam("width")
        shape = ViTConfig(
            image_size=8,
            patch_size=2,
            num_channels=1,
            num_labels=10,
            hidden_size=width,
            intermediate_size=2 * width,
            num_attention_heads=4,
            num_hidden_layers=run.get_hparam("layers"),
        )
        arguments = TrainingArguments(
            output_dir=tempfile.mkdtemp(),
            seed=run.trial_seed,
            learning_rate=run.get_hparam("learning_rate"),
            warmup_steps=run.get_hparam("warmup"),
            per_device_train_batch_size=32,
            per_device_eval_batch_size=400,
            logging_steps=20,
            report_to=[],
            disable_tqdm=True,
        )
        training, validation = digits()
        trainer = Trainer(
            ViTForImageClassification(shape),
            arguments,
            train_dataset=training,
            eval_dataset=validation,
            compute_metrics=accuracy,
        )
        train(run, trainer)


if __name__ == "__main__":
    main()
