"""`python -m benchmarks.variants`: what each faster way to decode changes, beside the exact one in float32.

tokens: the likeliest code, with the exact greedy motion read so far, is the same one; sequences: the whole greedy
motion is; drawn: codes of the motions drawn with the same seeds that are the same. The metrics are those of
`motionllm evaluate`, on the drawn motions. The times are told by `benchmarks.decoding`.
"""

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from benchmarks.systems import CASES, Systems
from hub_scripts.evaluation.outputs import generate_motions
from hub_scripts.evaluation.protocol import add_protocol_arguments, check_protocol, load_judge, read_judged_motions
from hub_scripts.evaluation.tables import generation_table, plain_text
from hub_scripts.metrics.reconstruction import batches_by_length
from hub_scripts.metrics.score import score_motions
from hub_scripts.options.checkpoint import add_model_arguments, load_processor, quiet
from modeling_motionllm.decoding_motionllm import MotionEngine, MotionRequest, choose_decoder
from modeling_motionllm.modeling_motionllm import MotionLLMForCausalLM
from modeling_motionllm.processing_motionllm import MotionLLMProcessor
from modeling_motionllm.settings_motionllm import MotionSettings

__all__ = ["main"]

_EXACT = "fast fp32"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.variants", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add_model_arguments(parser)
    parser.add_argument("--data", required=True, help="clips: folder written by `motionllm prepare`")
    parser.add_argument("--split", default="test", help="default test")
    add_protocol_arguments(parser)
    variants = [name for name in CASES if name.startswith(("fast", "llama.cpp")) and name != _EXACT]
    parser.add_argument("--variants", default=",".join(variants), help=f"of {','.join(variants)} (default all)")
    parser.add_argument("--repeats", type=int, default=20, help="repeats of the protocol (default 20)")
    parser.add_argument("--batch-size", type=int, default=32, help="motions per batch (default 32)")
    parser.add_argument("--seed", type=int, default=0, help="of all draws (default 0)")
    args = parser.parse_args()
    check_protocol(args)
    return args


@torch.inference_mode()
def _likeliest(
    model: MotionLLMForCausalLM,
    engine: str | MotionEngine,
    processor: MotionLLMProcessor,
    captions: Sequence[str],
    read: Sequence[Sequence[int]],
    batch_size: int,
) -> list[list[int]]:
    """The likeliest code at every place of motions that are given: after the prompt and the codes before that place."""
    found: list[list[int]] = [[] for _ in read]
    vocabulary = model.motion_vocabulary
    for batch in tqdm(batches_by_length([len(codes) for codes in read], batch_size), desc="read"):
        lengths = torch.tensor([len(read[row]) for row in batch])
        seconds = (lengths * processor.frames_per_code / processor.fps).tolist()
        inputs = {
            name: value.to(model.device)
            for name, value in processor(text=[captions[row] for row in batch], duration=seconds).items()
        }
        request = MotionRequest(
            **inputs, settings=MotionSettings(do_sample=False, guidance_scale=1), seeds=[0] * len(batch),
            vocabulary=vocabulary,
        )  # fmt: skip
        decoder = choose_decoder(engine, model, request, {})
        assert decoder is not None
        # A motion that has ended goes on with its last code; nobody looks at what follows.
        codes = torch.tensor([[*read[row], *[read[row][-1]] * (int(lengths.max()) - len(read[row]))] for row in batch])
        scores, columns = decoder.begin(None), []
        for place in range(codes.shape[1]):
            columns.append(scores[:, 0, 2:].argmax(-1).cpu())
            if place + 1 < codes.shape[1]:
                scores = decoder.step(vocabulary.codes_to_ids(codes[:, place]).to(model.device))
        decoder.close()
        for row, line in zip(batch, torch.stack(columns, dim=1), strict=True):
            found[row] = line[: len(read[row])].tolist()
    return found


def _same(one: Sequence[Sequence[int]], other: Sequence[Sequence[int]]) -> float:
    """Share of the codes of motions of equal length that are the same."""
    return float(np.mean(np.concatenate([np.equal(a, b) for a, b in zip(one, other, strict=True)])))


def main() -> None:
    args = _arguments()
    quiet()
    motions, _ = read_judged_motions(args)
    processor = load_processor(args.model)
    systems = Systems(args.model, args.device, processor)
    motions = [motion for motion in motions if motion.num_frames >= processor.frames_per_code]
    judge = load_judge(args, motions)
    limit = processor.num_codes(processor.max_seconds)
    lengths = [min(motion.num_frames // processor.frames_per_code, limit) for motion in motions]
    captions = [motion.judged_caption(index) for index, motion in enumerate(motions)]
    real = judge.embed_motions([motion.features[0] for motion in motions])
    known = {"content": [motion.contents[0] for motion in motions], "style": [motion.styles[0] for motion in motions]}
    exact: dict[str, Any] = {}
    shares: dict[str, tuple[float, float, float]] = {}
    scores: dict[str, dict[str, list[float]]] = {}
    print(f"{len(motions)} motions of the split '{args.split}', {sum(lengths)} codes, seed {args.seed}")
    for name in (_EXACT, *args.variants.split(",")):
        model, engine = systems.case(name)
        drawn = {
            kind: generate_motions(
                model, processor, captions, [1] * len(motions), lengths, seed=args.seed, batch_size=args.batch_size,
                label=f"{name}, {kind}", engine=engine, do_sample=kind == "drawn", guidance_scale=1.0, num_candidates=1,
            )
            for kind in ("greedy", "drawn")
        }  # fmt: skip
        made = {kind: [motion.codes[0].tolist() for motion in several] for kind, several in drawn.items()}
        exact = exact or made
        likeliest = _likeliest(model, engine, processor, captions, exact["greedy"], args.batch_size)
        whole = np.mean([a == b for a, b in zip(made["greedy"], exact["greedy"], strict=True)])
        shares[name] = (_same(likeliest, exact["greedy"]), float(whole), _same(made["drawn"], exact["drawn"]))
        shown = [motion.features[0] for motion in drawn["drawn"]]
        options = {"repeats": args.repeats, "seed": args.seed, "pool": min(32, len(motions))}
        found = score_motions(judge, [shown], captions, real, **known, **options)
        scores[name] = {column: [score.mean, score.interval] for column, score in found.items()}
    head = ["", "tokens %", "sequences %", "drawn %"]
    print("\n" + plain_text((head, [[name, *(f"{100 * share:.1f}" for share in row)] for name, row in shares.items()])))
    print("\n" + plain_text(generation_table(scores)))


if __name__ == "__main__":
    main()
