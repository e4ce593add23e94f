"""Settings with which `compare_translators.py` trains each system for minutes on one core."""

from __future__ import annotations

from typing import Any

__all__ = ["SMALL"]

Settings = tuple[dict[str, Any], dict[str, Any]]

VARIED = {"balanced": True, "shift": 2, "warp": 1.0}
"""Conditions equally often; shifted sources; bodies of other proportions."""

SMALL_DGNET = {
    "width": 4,
    "identity_width": 4,
    "teacher_share": 0.0,
    "fine": "off",
    "adversarial_weight": 0.0,
    "ramp_start": 1.0,
    "learning_rate": 1e-3,
    "learning_rate_identity": 3e-3,
    "betas": (0.5, 0.999),
    "weight_decay": 0.0,
    "erase_probability": 0.0,
    "decay_at": (0.75, 0.95),
    "ema_decay": 0.97,
}
"""DG-Net is too long a training for minutes: no critic, no teacher, and nothing grows."""

SMALL: dict[str, dict[str, Settings]] = {
    "gaitgan": {
        "faithful": (
            {
                "width": 16,
                "learning_rate_g": 4e-4,
                "learning_rate_d": 2.67e-4,
                "learning_rate_a": 2.67e-4,
                "betas": (0.5, 0.999),
                "ema_decay": 0.99,
            },
            {"batch_size": 32},
        ),
        "paired": (
            {
                "width": 16,
                "learning_rate_g": 1e-3,
                "betas": (0.5, 0.999),
                "contrast_weight": 10.0,
                "contrast_temperature": 0.05,
                "ema_decay": 0.99,
            },
            {"batch_size": 32, **VARIED},
        ),
    },
    "stargan": {
        "faithful": (
            {
                "width": 8,
                "residual_blocks": 1,
                "depth": 4,
                "n_critic": 2,
                "learning_rate_g": 5e-4,
                "learning_rate_d": 5e-4,
                "forced": 0.5,
                "classification_weight": 3.0,
                "cycle_weight": 20.0,
                "ema_decay": 0.98,
            },
            {"batch_size": 8},
        ),
        "paired": (
            {
                "width": 8,
                "residual_blocks": 3,
                "n_critic": 1,
                "learning_rate_g": 1e-3,
                "learning_rate_d": 3e-4,
                "forced": 0.75,
                "pair_width": 8,
                "pair_l1_weight": 30.0,
                "pair_contrast_weight": 1.0,
                "ema_decay": 0.98,
            },
            {"batch_size": 16},
        ),
    },
    "attgan": {
        "faithful": (
            {
                "width": 16,
                "n_critic": 1,
                "learning_rate": 1e-3,
                "forced": 0.5,
                "shortcut": 2,
                "inject": 2,
                "ema_decay": 0.99,
            },
            {"batch_size": 16},
        ),
        "paired": (
            {
                "width": 16,
                "n_critic": 1,
                "learning_rate": 1e-3,
                "forced": 0.75,
                "pair_width": 8,
                "pair_contrast_weight": 10.0,
                "ema_decay": 0.99,
            },
            {"batch_size": 16, **VARIED},
        ),
    },
    "dgnet": {
        "faithful": (
            SMALL_DGNET | {"self_weight": 5.0, "same_weight": 5.0, "identity_weight": 0.5},
            {"batch_size": 8},
        ),
        "paired": (
            SMALL_DGNET
            | {
                "self_weight": 5.0,
                "same_weight": 5.0,
                "identity_weight": 0.5,
                "pair_width": 8,
                "pair_l1_weight": 5.0,
                "pair_contrast_weight": 1.0,
            },
            {"batch_size": 8},
        ),
    },
    "deformable": {
        "faithful": (
            {
                "width": 16,
                "learning_rate_g": 1e-3,
                "nn_weight": 10.0,
                "dropout": 0.1,
                "ema_decay": 0.99,
            },
            {"batch_size": 16},
        ),
        "paired": (
            {
                "width": 16,
                "learning_rate_g": 1e-3,
                "nn_weight": 3.5,
                "dropout": 0.1,
                "pair_width": 8,
                "pair_contrast_weight": 3.0,
                "ema_decay": 0.99,
            },
            {"batch_size": 16},
        ),
    },
}
"""Settings and training options of each system and mode for minutes on one core.

Larger step sizes, fewer steps of the critics, smaller batches. The paired ones also have each image
find its own target among the batch's by pixels: without it three minutes do not suffice.
"""
