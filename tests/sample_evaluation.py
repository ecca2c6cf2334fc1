"""An evaluation as `motionllm evaluate` writes it, with figures that are easy to find again."""

from typing import Any

__all__ = ["SAMPLE_EVALUATION"]

SAMPLE_EVALUATION: dict[str, Any] = {
    "date": "2026-01-02",
    "split": "test",
    "data_name": "bandai-namco",
    "data_sha256": "0" * 64,  # as the codes of the tests have it
    "seed": 0,
    "reconstruction": {
        "clips": 7,
        "drift_mm_mean": 10.0,
        "velocity_mm": 4.0,
        "codes_used": 30,
        "mpjpe_root_mm": 12.34,
        "mpjpe_global_mm": 56.78,
        "drift_mm_median": 9.1,
        "perplexity": 300.4,
    },
    "generation": {
        "protocol": "4 captions, pools of 4, 20 repeats, seed 0, greedy",
        "rows": {
            "real": {"r_precision_top3": [0.97, 0.01], "fid": [0.0, 0.0], "content_accuracy": [1.0, 0.0]},
            "generated": {
                "r_precision_top3": [0.5, 0.02],
                "fid": [0.25, 0.0],
                "content_accuracy": [0.75, 0.0],
                "diversity": [float("nan"), 0.0],
            },
        },
    },
    "captioning": {
        "protocol": "7 real motions, greedy",
        "rows": {"real": {"bleu4": [30.0, 0]}, "generated": {"bleu4": [12.5, 0], "content_words": [0.5, 0]}},
    },
    "scenes_name": "bandai-namco-composed-scenes",
    "scenes_sha256": "5" * 64,
    "scene_generation": {
        "scenes": 3,
        "composed": True,
        "protocol": "3 composed scenes, pools of 3",
        "rows": {
            "real": {"people_content": [0.918, 0.0], "placement_error_m": [0.14, 0.0]},
            "generated": {"people_content": [0.411, 0.004], "placement_error_m": [1.34, 0.0], "fid": [0.5, 0.0]},
        },
    },
    "scene_captioning": {
        "scenes": 3,
        "composed": True,
        "protocol": "3 real (composed) scenes, greedy",
        "rows": {"real": {"bleu4": [40.0, 0]}, "generated": {"bleu4": [20.5, 0], "kind_words": [0.25, 0]}},
    },
    "sequences_name": "composed-sequences",
    "sequences_sha256": "6" * 64,
    "sequence_generation": {
        "sequences": 3,
        "seams": 4,
        "composed": True,
        "protocol": "3 composed sequences of 7 segments, greedy",
        "rows": {
            "real": {"segments_done": [0.875, 0.0], "seam_speed_ratio": [0.85, 0.0]},
            "generated": {"segments_done": [0.625, 0.0], "seam_speed_ratio": [1.12, 0.0]},
        },
    },
}
