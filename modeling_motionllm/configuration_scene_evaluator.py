"""Configuration of `SceneTextEvaluator`."""

from .configuration_evaluator import MotionTextEvaluatorConfig

__all__ = ["SceneTextEvaluatorConfig"]


class SceneTextEvaluatorConfig(MotionTextEvaluatorConfig):
    """Configuration of `SceneTextEvaluator`.

    Args:
        scene_hidden_size: width of the encoder of scenes; `hidden_size` is that of the encoder of each person.
        num_scene_layers: its transformer layers.
        max_people: most people in a scene.
        **kwargs: those of `MotionTextEvaluatorConfig`; `contents` are the classes of each person, `styles` is not used.
    """

    model_type = "scene_text_evaluator"

    scene_hidden_size: int = 128
    num_scene_layers: int = 2
    max_people: int = 3


SceneTextEvaluatorConfig.register_for_auto_class()
