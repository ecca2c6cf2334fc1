"""The training loss: cross-entropy over the label tokens, weighted, with neighbouring placement bins half right."""

import torch
import torch.nn.functional as F

from .vocabulary_motionllm import PlacementVocabulary

__all__ = ["PLACEMENT_WIDTH", "token_losses"]

PLACEMENT_WIDTH = 1.0  # bins: 0.1 m, 5 degrees
_HEADING = 2  # of x, z, heading


def token_losses(logits: torch.Tensor, targets: torch.Tensor, placement: PlacementVocabulary | None) -> torch.Tensor:
    """Cross-entropy of each label.

    A placement bin is a number: of 300 bins each is seen rarely, and its neighbours are nearly as right. So the target
    of a placement is spread over its family (x, z or heading) as a normal density of `PLACEMENT_WIDTH` bins; headings
    go round. All other targets are the token itself.

    Args:
        logits: (N, V).
        targets: (N,) token ids.
        placement: ids of the placement tokens; None in a model without them.

    Returns:
        (N,) float32.
    """
    losses = F.cross_entropy(logits.float(), targets, reduction="none")
    if placement is None:
        return losses
    for number, family in enumerate(placement.families):
        of_family = (targets >= family.start) & (targets < family.stop)
        if not bool(of_family.any()):
            continue
        bins = torch.arange(len(family), device=targets.device)
        distance = (bins[None] - (targets[of_family] - family.start)[:, None]).abs()
        if number == _HEADING:
            distance = torch.minimum(distance, len(family) - distance)
        spread = torch.softmax(-0.5 * (distance / PLACEMENT_WIDTH) ** 2, dim=-1)
        log_share = F.log_softmax(logits[of_family].float(), dim=-1)[:, family.start : family.stop]
        losses = losses.masked_scatter(of_family, -(spread * log_share).sum(dim=-1))
    return losses
