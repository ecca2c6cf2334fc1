"""Going on with other codes: where their rows start, when the language model knew those of an older VQ-VAE."""

from collections.abc import Iterator, Sequence

import torch

from hub_scripts.data.codes import CodeRow
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.modeling_motion_vq import MotionVQModel

__all__ = ["carried_rows", "shared_time"]

_OWN = 0.3  # what a row has of its own, so that codes that meant the same to the older VQ-VAE can be told apart
_BATCH = 64


def carried_rows(rows: torch.Tensor, drawn: torch.Tensor, shared: torch.Tensor) -> torch.Tensor:
    """Rows of new codes: the mean of the older codes' rows that stand for the same stretches of motion.

    Args:
        rows: (K_old, width) of the older codes.
        drawn: (K, width), where the new rows would start otherwise: so they do where a code never occurs, and a part
            of what they differ by is added to all others.
        shared: (K, K_old) of `shared_time`.

    Returns:
        (K, width), like `drawn`.
    """
    total = shared.sum(1, keepdim=True)
    mean = (shared / total.clamp_min(1)) @ rows.float()
    own = _OWN * (drawn.float() - drawn.float().mean(0))
    return torch.where(total > 0, mean + own, drawn.float()).to(drawn)


@torch.no_grad()
def shared_time(rows: Sequence[CodeRow], vq: MotionVQModel, older: MotionVQModel) -> torch.Tensor:
    """How often a code of `vq` and one of `older` stand for the same stretch of the same motion.

    Args:
        rows: motions in codes of `vq`. They are decoded by it, and encoded by `older`.
        vq: of the rows.
        older: of the same features and the same number of frames per code.

    Returns:
        float32 (codebook_size, codebook_size of `older`).

    Raises:
        MotionLLMError: the two do not describe motion alike.
    """
    for name in ("input_dim", "frames_per_code", "fps"):
        new, old = getattr(vq.config, name), getattr(older.config, name)
        if new != old:
            raise MotionLLMError(f"--init-from has a VQ-VAE of {name} {old}, --vq of {new}; leave --init-from out")
    size = older.config.codebook_size
    counts = torch.zeros(vq.config.codebook_size * size)
    for codes in _batches([torch.tensor(person) for row in rows for person in row["codes"]]):
        motion = vq.decode(codes)
        before = older.encode(motion.features, motion.attention_mask).codes
        real = codes != -1
        counts += torch.bincount(codes[real] * size + before[real], minlength=len(counts))
    return counts.view(-1, size)


def _batches(people: list[torch.Tensor]) -> Iterator[torch.Tensor]:
    people = sorted(people, key=len)
    for start in range(0, len(people), _BATCH):
        yield torch.nn.utils.rnn.pad_sequence(people[start : start + _BATCH], batch_first=True, padding_value=-1)
