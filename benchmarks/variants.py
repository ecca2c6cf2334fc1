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
from hub_scripts.captions.parsing import own_caption
from hub_scripts.evaluation.outputs import Decoding, decode_codes, generate_codes
from hub_scripts.evaluation.protocol import add_protocol_arguments, check_protocol, load_judge, read_clips
from hub_scripts.evaluation.tables import generation_table, plain_text
from hub_scripts.metrics.reconstruction import batches_by_length
from hub_scripts.metrics.score import score_motions
from hub_scripts.options.checkpoint import add_model_arguments, load_processor, quiet
from modeling_motionllm.decoding_motionllm import MotionRequest, choose_decoder
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
    model: Any, engine: Any, processor: Any, captions: Sequence[str], read: Sequence[Sequence[int]], batch_size: int
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
    rows, _ = read_clips(args)
    processor = load_processor(args.model)
    systems = Systems(args.model, args.device, processor)
    rows = [row for row in rows if len(row["features"]) >= processor.frames_per_code]
    judge = load_judge(args, rows)
    limit = processor.num_codes(processor.max_seconds)
    lengths = [min(len(row["features"]) // processor.frames_per_code, limit) for row in rows]
    captions = [own_caption(row["captions"], index) for index, row in enumerate(rows)]
    real = [row["features"] for row in rows]
    known = {name: [row[name] for row in rows] for name in ("content", "style")}
    exact: dict[str, Any] = {}
    shares: dict[str, tuple[float, float, float]] = {}
    scores: dict[str, dict[str, list[float]]] = {}
    print(f"{len(rows)} motions of the split '{args.split}', {sum(lengths)} codes, seed {args.seed}")
    for name in (_EXACT, *args.variants.split(",")):
        model, engine = systems.case(name)
        made = {
            kind: generate_codes(
                model, processor, captions, lengths, Decoding(greedy=kind == "greedy"), seed=args.seed,
                batch_size=args.batch_size, label=f"{name}, {kind}", engine=engine,
            )
            for kind in ("greedy", "drawn")
        }  # fmt: skip
        exact = exact or made
        likeliest = _likeliest(model, engine, processor, captions, exact["greedy"], args.batch_size)
        whole = np.mean([a == b for a, b in zip(made["greedy"], exact["greedy"], strict=True)])
        shares[name] = (_same(likeliest, exact["greedy"]), float(whole), _same(made["drawn"], exact["drawn"]))
        motions = [decode_codes(model.motion_vq, made["drawn"])]
        options = {"repeats": args.repeats, "seed": args.seed, "pool": min(32, len(rows))}
        found = score_motions(judge, motions, captions, real, **known, **options)
        scores[name] = {column: [score.mean, score.interval] for column, score in found.items()}
    head = ["", "tokens %", "sequences %", "drawn %"]
    print("\n" + plain_text((head, [[name, *(f"{100 * share:.1f}" for share in row)] for name, row in shares.items()])))
    print("\n" + plain_text(generation_table(scores)))


if __name__ == "__main__":
    main()
