"""Configuration of `MotionTextEvaluator`."""

from typing import Any

from transformers import PreTrainedConfig

__all__ = ["MotionTextEvaluatorConfig"]


class MotionTextEvaluatorConfig(PreTrainedConfig):
    """Configuration of `MotionTextEvaluator`.

    With scene layers the evaluator judges scenes of several people, without them motions of one.

    Args:
        input_dim: feature columns (263 for HumanML3D).
        fps: frames per second of the features.
        hidden_size: width of the motion encoder, which sees one person at a time.
        num_hidden_layers: transformer layers over the quarter-rate frames.
        num_attention_heads: heads of each.
        intermediate_size: width of their feed-forward blocks.
        dropout: of the motion encoder and of the text head.
        embed_dim: dimension of the shared embedding space.
        sentence_model: the frozen sentence encoder, a Hub id.
        sentence_dim: dimension of its embeddings.
        contents: names of the content classes of a person's motion, in the order of the logits.
        styles: names of the style classes, in the order of the logits; with scene layers not used.
        classification_weight: weight of the two classification losses.
        num_scene_layers: transformer layers over all people of a scene; 0 for one person.
        scene_hidden_size: their width.
        max_people: most people in a scene.
    """

    model_type = "motion_text_evaluator"

    input_dim: int = 263
    fps: float = 20.0
    hidden_size: int = 192
    num_hidden_layers: int = 3
    num_attention_heads: int = 4
    intermediate_size: int = 384
    dropout: float = 0.1
    embed_dim: int = 256
    sentence_model: str = "sentence-transformers/all-MiniLM-L6-v2"
    sentence_dim: int = 384
    contents: Any = None
    styles: Any = None
    classification_weight: float = 0.5
    num_scene_layers: int = 0
    scene_hidden_size: int = 128
    max_people: int = 1

    def __post_init__(self, **kwargs: Any) -> None:
        self.contents, self.styles = list(self.contents or ()), list(self.styles or ())
        super().__post_init__(**kwargs)


MotionTextEvaluatorConfig.register_for_auto_class()
