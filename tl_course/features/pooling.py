"""From a map of what a network sees where, to one vector: pooling."""

import torch
from torch import nn

__all__ = ["GeM"]


class GeM(nn.Module):
    """Generalised-mean pooling with exponent 2, the root of the mean square: (n, c, h, w) to (n, c, 1, 1).

    Of values above 0 it lies between the average and the maximum: what is seen strongly in a small place counts for
    more. From Radenović et al. 2018, "Fine-tuning CNN Image Retrieval with No Human Annotation", arXiv:1711.02512, who
    learn the exponent.
    """

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Pool over the last two dimensions."""
        mean = maps.float().square().mean((-2, -1), keepdim=True)
        return mean.clamp_min(1e-6).sqrt()  # the root of 0 has no gradient
