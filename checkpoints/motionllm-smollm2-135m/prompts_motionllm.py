"""The prompt presets: `short` (ours) and `paper` (the wording of the official code, for converted weights).

`{caption}`, `{motion}` and `{seconds}` are filled in; `{motion}` stands for code tokens, never made from text.
"""

__all__ = ["PROMPT_PRESETS"]

_PREAMBLE = (
    "Below is an instruction that describes a task, paired with an input that provides further context. "
    "Write a response that appropriately completes the request.\n\n"
)

PROMPT_PRESETS: dict[str, dict[str, str | bool]] = {
    "short": {
        "text_to_motion": "{caption}\n<Motion>",
        "text_to_motion_timed": "{caption} ({seconds} s)\n<Motion>",
        "motion_target": "{motion}</Motion>",
        "motion_to_text": "<Motion>{motion}</Motion>\n",
        "caption_target": "{caption}",
        "normalize_caption": True,
    },
    "paper": {
        "text_to_motion": _PREAMBLE
        + "### Instruction:\nGenerate a motion matching the following input human motion description\n\n"
        + "### Input:\n{caption}\n\nResponse: <Motion>",
        "motion_target": "{motion}</Motion>",
        "motion_to_text": _PREAMBLE
        + "### Instruction:\nGenerate a caption matching the following input human motion token sequence.\n\n"
        + "### Input:\n<Motion>{motion}</Motion>\n\nResponse: ",
        "caption_target": "{caption}",
        "normalize_caption": False,
    },
}
