"""Motions whose codes a server draws: vLLM, `transformers serve` or others that answer `/v1/completions`."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import torch
from transformers import GenerationConfig

from hub_scripts.generation.openai_server import OpenAIServer, RefusedError
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.modeling_motion_vq import MotionVQModel
from modeling_motionllm.output_motionllm import MotionGenerationOutput
from modeling_motionllm.prompts_motionllm import pad_right
from modeling_motionllm.sampling_motionllm import row_seeds
from modeling_motionllm.settings_motionllm import CaptionSettings, MotionSettings

if TYPE_CHECKING:
    from modeling_motionllm.processing_motionllm import MotionLLMProcessor

__all__ = ["ServedModel", "load_served"]

_AT_ONCE = 64  # requests on their way


class ServedModel:
    """A checkpoint whose language model runs elsewhere, in the plain layout; its codes are decoded here.

    Servers that know `allowed_token_ids` and `min_tokens` (vLLM) keep to the grammar and to exact lengths. Others get
    the sentence alone and answer as the model has learnt; an answer that is no motion is refused.

    Args:
        address: such as `http://127.0.0.1:8000/v1`.
        processor: of the checkpoint.
        motion_vq: of the checkpoint.
        generation_config: of the checkpoint.
        name: of the model on the server; None takes the first that it lists.
    """

    def __init__(
        self,
        address: str,
        processor: "MotionLLMProcessor",
        motion_vq: MotionVQModel,
        generation_config: GenerationConfig,
        name: str | None = None,
    ):
        self.processor, self.motion_vq = processor, motion_vq
        self.generation_config = generation_config
        self._server = OpenAIServer(address, "start it, then run the same command with --skip-existing")
        self.address = self._server.address
        self.name = name if name is not None else self._server.first_model("--served-model")
        self._knows_grammar = True  # until it says otherwise

    @property
    def device(self) -> torch.device:
        """Where codes are decoded."""
        return self.motion_vq.device

    def generate_motion(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        num_codes: torch.Tensor | int | None = None,
        num_people: torch.Tensor | int = 1,
        *,
        processor: "MotionLLMProcessor | None" = None,
        seed: int | Sequence[int] | None = None,
        engine: object = None,
        **settings: Any,
    ) -> MotionGenerationOutput:
        """As `MotionLLMForCausalLM.generate_motion`, for one person and one sentence, without candidates and guidance.

        Without `num_codes` the server draws the end as any other token.

        Raises:
            MotionLLMError: what a server cannot do, no answer, or one that is no motion.
        """
        if int(torch.as_tensor(num_people).max()) > 1 or settings.pop("turns", None) is not None:
            raise MotionLLMError("a server makes motions of one person and one sentence; leave --engine out")
        drawing = MotionSettings.of(self.generation_config, settings)
        if settings:
            raise MotionLLMError(f"a server does not take {', '.join(sorted(settings))}; leave --engine out")
        if drawing.num_candidates > 1:
            raise MotionLLMError(f"num_candidates is {drawing.num_candidates}, but a server draws one; give 1")
        each = drawing.num_return_sequences
        prompts = [prompt for prompt in _unpadded(input_ids, attention_mask) for _ in range(each)]
        seeds = row_seeds(seed, len(prompts))
        lengths: list[int | None] = [None] * len(prompts)
        if num_codes is not None:
            given = torch.as_tensor(num_codes).reshape(-1).tolist()
            known = [int(one) for one in given for _ in range(len(prompts) // len(given))]
            lengths = list(known)
        bodies = [
            self._motion_body(prompt, length, int(one), drawing)
            for prompt, length, one in zip(prompts, lengths, seeds, strict=True)
        ]
        answers = self._ask(bodies, [self._grammar(length, drawing) for length in lengths])
        codes = [self.processor.parse_codes(text)[0].tolist() for text in answers]
        # A server without the grammar may go on.
        rows = [own if length is None else own[:length] for own, length in zip(codes, lengths, strict=True)]
        return MotionGenerationOutput.of_codes(self.motion_vq, pad_right(rows, -1)[:, None])

    def generate_caption(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None, **settings: Any
    ) -> torch.Tensor:
        """As `MotionLLMForCausalLM.generate_caption`, for codes that are in the prompts: the likeliest captions."""
        most = CaptionSettings.of(self.generation_config, dict(settings)).max_new_tokens
        prompts = _unpadded(input_ids, attention_mask)
        bodies = [{"prompt": prompt, "max_tokens": most, "temperature": 0.0} for prompt in prompts]
        answers = self._ask(bodies, [{} for _ in bodies])
        tokenizer = self.processor.tokenizer
        ids = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in answers]
        return pad_right(ids, tokenizer.pad_token_id or 0)

    def _motion_body(
        self, prompt: list[int], length: int | None, seed: int, settings: MotionSettings
    ) -> dict[str, Any]:
        body: dict[str, Any] = {"prompt": prompt, "max_tokens": length or settings.max_codes, "temperature": 0.0}
        if settings.do_sample:
            top_p = 1.0 if settings.top_p is None else settings.top_p
            body |= {"temperature": settings.temperature, "top_p": top_p, "seed": seed % (1 << 31)}
        return body

    def _grammar(self, length: int | None, settings: MotionSettings) -> dict[str, Any]:
        """What tells vLLM which tokens may come, and how many."""
        _, end, *codes = self.processor.vocabulary.motion_ids
        if length is not None:
            return {"allowed_token_ids": codes, "min_tokens": length}
        return {"allowed_token_ids": [*codes, end], "min_tokens": settings.min_codes, "stop_token_ids": [end]}

    def _ask(self, bodies: list[dict[str, Any]], grammars: list[dict[str, Any]]) -> list[str]:
        """The texts that the server gives for prompts, all asked at once."""
        first = self._complete(bodies[0], grammars[0])  # alone: it tells what the server understands
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return [first, *pool.map(self._complete, bodies[1:], grammars[1:])]

    def _complete(self, body: dict[str, Any], grammar: dict[str, Any]) -> str:
        body = {"model": self.name, **body}
        if self._knows_grammar:
            try:
                return self._text(self._server.request("completions", body | grammar))
            except RefusedError:
                self._knows_grammar = False
        # Every server takes a prompt as text; it puts the first token of all texts before it itself.
        text = self.processor.tokenizer.decode(body["prompt"], skip_special_tokens=True)
        try:
            return self._text(self._server.request("completions", body | {"prompt": text}))
        except RefusedError as error:
            raise MotionLLMError(f"the server at {self.address} refused a prompt: {error}") from error

    def _text(self, answer: Any) -> str:
        try:
            return str(answer["choices"][0]["text"])
        except (KeyError, IndexError, TypeError) as error:
            raise MotionLLMError(f"the server at {self.address} gave an answer without choices[0].text") from error


def _unpadded(input_ids: torch.Tensor, attention_mask: torch.Tensor | None) -> list[list[int]]:
    """Prompts without the padding on their left."""
    mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
    return [row[kept.bool()].tolist() for row, kept in zip(input_ids, mask, strict=True)]


def load_served(address: str, checkpoint: str, processor: "MotionLLMProcessor", name: str | None) -> ServedModel:
    """A served model with the VQ-VAE and the settings of a checkpoint, whose language model is not loaded.

    Args:
        address: of the server.
        checkpoint: folder or Hub id.
        processor: of the checkpoint.
        name: of the model on the server.

    Raises:
        MotionLLMError: the server does not answer, or the checkpoint cannot be loaded.
    """
    import motionllm
    from hub_scripts.options.checkpoint import load_model
    from modeling_motionllm.checkpoint_motionllm import is_thin_checkpoint, load_motion_vq

    if is_thin_checkpoint(checkpoint):
        vq = load_motion_vq(checkpoint, motionllm.MotionLLMConfig.from_pretrained(checkpoint).motion_config)
    else:
        vq = load_model(checkpoint, "cpu").motion_vq
    try:
        config = GenerationConfig.from_pretrained(checkpoint)
    except OSError:  # a checkpoint without one is drawn with the defaults
        config = GenerationConfig()
    return ServedModel(address, processor, vq.eval(), config, name)
