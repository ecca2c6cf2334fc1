"""A chat template that yields the prompts a model was trained with: a request of one message, sentence or motion."""

from .processing_motionllm import MotionLLMProcessor
from .vocabulary_motionllm import MOTION_START

__all__ = ["chat_template"]

_CHAT_TEMPLATE = """{{%- set users = messages | selectattr('role', 'equalto', 'user') | list -%}}
{{%- if users | length != 1 -%}}
{{{{- raise_exception('give one user message: a sentence that describes a motion, or a motion') -}}}}
{{%- endif -%}}
{{%- set content = users[0]['content'] -%}}
{{%- if content is not string -%}}
{{%- set content = content | selectattr('type', 'equalto', 'text') | map(attribute='text') | join(' ') -%}}
{{%- endif -%}}
{{%- if {start} in content -%}}
{motion_to_text}
{{%- else -%}}
{normalize}
{text_to_motion}
{{%- endif -%}}
{{%- for message in messages if message['role'] == 'assistant' -%}}
{{{{- message['content'] + {eos} -}}}}
{{%- endfor -%}}"""
_ONE_LINE = "{%- set content = content.split() | join(' ') -%}"
_NORMALIZE = "{%- set content = (content.split() | join(' ')).lower().rstrip(' .') -%}"


def _quoted(text: str) -> str:
    """A Jinja string literal."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"'{escaped}'"


def _filled(template: str, field: str, value: str) -> str:
    """A Jinja expression for `template` with `field` replaced by the variable `value`."""
    before, after = template.split("{" + field + "}")
    return "{{- " + f"{_quoted(before)} + {value} + {_quoted(after)}" + " -}}"


def chat_template(processor: MotionLLMProcessor) -> str:
    """A chat template that yields exactly the prompts the model was trained with, for a request of one message."""
    prompts, tokenizer = processor.prompts, processor.tokenizer
    begin = processor.text_to_motion_ids("a")[0] == tokenizer.bos_token_id
    bos = _quoted(tokenizer.bos_token) + " + " if begin else ""
    # The message holds the motion with its two ends; the trained prompt may put them there itself.
    motion_prompt = str(prompts["motion_to_text"]).replace("<Motion>{motion}</Motion>", "{motion}")
    return _CHAT_TEMPLATE.format(
        start=_quoted(MOTION_START),
        eos=_quoted(tokenizer.eos_token),
        normalize=_NORMALIZE if prompts.get("normalize_caption") else _ONE_LINE,
        text_to_motion=_filled(str(prompts["text_to_motion"]), "caption", "content").replace("{{- ", "{{- " + bos, 1),
        motion_to_text=_filled(motion_prompt, "motion", "content | trim").replace("{{- ", "{{- " + bos, 1),
    )
