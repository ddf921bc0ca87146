"""What a layer reads of its input: one linear map of the last few frames of each row (spec section 1.3, a to c).

Published as a linear map, then a causal convolution over time; there is nothing between them, so both are composed into one
map before the input meets them: for slots of 16, two frames and read-out 2,048 products a row instead of 18,432.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["Projection"]


class Projection(nn.Module):
    """Rows of the last `frames` frames -> drive and parameters of the recurrence, and perhaps a gate.

    The convolution begins with zeros: what was before the first frame is 0.
    """

    def __init__(self, in_features: int, width: int, *, expand: int, frames: int, gate: int) -> None:
        """Set up.

        Args:
            in_features: of a row.
            width: what the convolution writes.
            expand: how many times wider what it reads is.
            frames: that it sees, the current one included.
            gate: further outputs, of the current frame alone; 0 = none.
        """
        super().__init__()
        self.frames, self.gated = frames, gate > 0
        self.inner = nn.Parameter(torch.empty(expand * width + gate, in_features))
        self.kernel = nn.Parameter(torch.empty(width, expand * width, frames))
        self.bias = nn.Parameter(torch.empty(width))
        nn.init.kaiming_uniform_(self.inner, a=math.sqrt(5))
        nn.init.kaiming_uniform_(self.kernel, a=math.sqrt(5))
        bound = 1 / math.sqrt(expand * width * frames)
        nn.init.uniform_(self.bias, -bound, bound)

    def forward(
        self, x: Float[Tensor, "batch frames rows features"]
    ) -> tuple[Float[Tensor, "batch time rows width"], Float[Tensor, "batch time rows gate"] | None]:
        """Project.

        Args:
            x: `frames - 1` frames that came before, then those to project.

        Returns:
            The projection, and the gate before its activation.
        """
        width, wide, taps = self.kernel.shape
        composed = torch.einsum("owt,wf->otf", self.kernel, self.inner[:wide]).reshape(width, -1)
        time = x.shape[1] - taps + 1
        window = x if taps == 1 else torch.cat([x[:, tap : tap + time] for tap in range(taps)], -1)
        gate = F.linear(x[:, taps - 1 :], self.inner[wide:]) if self.gated else None
        return F.linear(window, composed, self.bias), gate
